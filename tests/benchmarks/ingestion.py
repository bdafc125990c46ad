"""
What reading JUnit costs: `scripts/bench --ingestion`.

Bundles with a JUnit file each become records of a history, signatures and all.
Beside it, in the same run, on the same files: expat alone, which does nothing
with what it finds, and junitparser alone. Each is a process of its own.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import escape, quoteattr

ROOT = Path(__file__).parents[2]
BLOCK = "ingestion"
_FAILING = 0.015
"""Share of the executions that fail."""
_LEGS = 10
"""Jobs of a run: each leaves a bundle, and has a series of its own."""
_TRACE = """{cart} = <shop.cart.Cart object at {address}>

    def test_{name}({cart}):
>       assert {cart}.total() == {right}
E       AssertionError: assert {wrong} == {right}
E        +  where {wrong} = total()
E        +    where total = <shop.cart.Cart object at {address}>.total

tests/unit/test_module_{module}.py:{line}: AssertionError"""
_RACE = """Traceback (most recent call last):
  File "/home/runner/work/shop/tests/unit/test_module_{module}.py", line {line}, in test_{name}
    worker.join(timeout=5)
  File "/home/runner/work/shop/shop/worker_{kind}.py", line {line}, in join
    raise WorkerError(f"worker {{self.pid}} did not end within {{seconds}} s")
shop.worker.WorkerError: worker {wrong} did not end within 5.{right} s: socket {address}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How much is read."""

    runs: int = 100
    tests: int = 10_000
    """Of a run."""

    @property
    def cases(self) -> int:
        """Of all runs."""
        return self.runs * self.tests


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a process took."""

    cpu_s: float
    peak_mib: float
    said: str


def measure(folder: Path, size: Size) -> str:
    """Write the files, read them in each way, and return the figures as Markdown."""
    _run("write", folder, str(size.runs), str(size.tests))
    files = _files(folder)
    bytes_ = sum(each.stat().st_size for each in files)
    taken = {name: _run(name, folder) for name in READERS}
    bare = taken["expat alone"].cpu_s
    what = f"{size.cases:,} test cases of {size.runs} runs in {len(files):,} files"
    lines = [
        f"{what}, {bytes_ / 1e6:.0f} MB, {100 * _FAILING:.1f} % of them failures.",
        "",
        "| reader | CPU | ratio | cases a CPU second | peak RSS |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, each in taken.items():
        if int(each.said.split()[0]) != size.cases:
            raise RuntimeError(f"{name} read {each.said} test cases of {size.cases}")
        lines.append(
            f"| {name} | {each.cpu_s:.2f} s | {each.cpu_s / bare:.2f}"
            f" | {size.cases / each.cpu_s:,.0f} | {each.peak_mib:.0f} MiB |"
        )
    written = taken["Telltale, into a history"].said.split()[1]
    lines += ["", f"The history takes {int(written) / 1e6:.1f} MB."]
    return "\n".join(lines) + "\n"


def write(folder: Path, size: Size) -> Iterator[Path]:
    """Write the bundles; yield their folders. Equal sizes give equal files."""
    from tests.benchmarks.ingestion_bundles import write_manifest  # noqa: PLC0415  # not beside bare expat

    chance = random.Random(1)  # noqa: S311
    tests = [
        (
            f"tests.unit.shop.test_module_{n // 25}.TestClass{n // 5}",
            f"test_{verb}_number_{n % 97}[size-{n}]",
        )
        for n in range(size.tests)
        for verb in [chance.choice(["reads", "writes", "parses"])]
    ]
    usual = [chance.lognormvariate(-3.5, 1.2) for _ in tests]
    legs = min(_LEGS, size.tests)
    for run in range(size.runs):
        for leg in range(legs):
            at = folder / f"{run:04d}-{leg}"
            (at / "artifacts").mkdir(parents=True)
            mine = range(leg * size.tests // legs, (leg + 1) * size.tests // legs)
            with (at / "artifacts/junit.xml").open("w", encoding="utf-8") as file:
                file.write('<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">')
                file.write(f'<testsuite name="pytest" tests="{len(mine)}">')
                # pytest writes one line, most others one for each test.
                indent = "\n    " if leg % 2 else ""
                file.writelines(indent + _case(chance, *tests[n], n, usual[n]) for n in mine)
                file.write("</testsuite></testsuites>")
            write_manifest(at, run, leg)
            yield at


def _case(chance: random.Random, classname: str, name: str, n: int, usual: float) -> str:
    seconds = usual * chance.lognormvariate(0, 0.1)
    head = f'<testcase classname="{classname}" name="{name}" time="{seconds:.3f}"'
    if chance.random() >= _FAILING:
        return f"{head} />"
    text = (_TRACE if n % 3 else _RACE).format(
        cart=f"cart_{n % 50}",
        kind=n % 40,
        name=name.partition("[")[0].removeprefix("test_"),
        module=n // 25,
        line=chance.randint(10, 400),
        address=f"0x{chance.getrandbits(47):x}",
        wrong=chance.randint(100, 99_999),
        right=chance.randint(100, 99_999),
    )
    message = text.splitlines()[-1]
    return f"{head}><failure message={quoteattr(message)}>{escape(text)}</failure></testcase>"


def _run(name: str, folder: Path, *more: str) -> Taken:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "bot"), str(ROOT)])}
    argv = [sys.executable, "-m", "tests.benchmarks.ingestion", name, str(folder), *more]
    with subprocess.Popen(
        argv, env=environ, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{name}: exit status {process.returncode}")
    return Taken(
        cpu_s=used.ru_utime + used.ru_stime, peak_mib=used.ru_maxrss / 1024, said=said.strip()
    )


# What is measured


def _bare(folder: Path) -> str:
    cases = 0
    ends = texts = 0

    def start(name: str, _: Mapping[str, str]) -> None:
        nonlocal cases
        cases += name == "testcase"

    def end(_: str) -> None:
        nonlocal ends
        ends += 1

    def data(_: str) -> None:
        nonlocal texts
        texts += 1

    for path in _files(folder):
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = start
        parser.EndElementHandler = end
        parser.CharacterDataHandler = data
        with path.open("rb") as file:
            while block := file.read(256 * 1024):
                parser.Parse(block, False)
        parser.Parse(b"", True)
    return str(cases)


def _junitparser(folder: Path) -> str:
    from junitparser import JUnitXml  # noqa: PLC0415  # not beside bare expat

    cases = failures = 0
    for path in _files(folder):
        for suite in JUnitXml.fromfile(str(path)):
            for case in suite:
                cases += 1
                failures += bool(case.result)
    return str(cases)


def _ours(folder: Path) -> str:
    from tests.benchmarks.ingestion_bundles import into_history  # noqa: PLC0415  # not beside bare expat

    cases = into_history((path.parents[1] for path in _files(folder)), folder / "history")
    size = sum(path.stat().st_size for path in (folder / "history").rglob("*.gz"))
    return f"{cases} {size}"


def _files(folder: Path) -> list[Path]:
    return sorted((folder / "bundles").glob("*/artifacts/junit.xml"))


READERS: Mapping[str, Callable[[Path], str]] = {
    "expat alone": _bare,
    "junitparser alone": _junitparser,
    "Telltale, into a history": _ours,
}


if __name__ == "__main__":
    name, where, *numbers = sys.argv[1:]
    if name == "write":
        runs, tests = map(int, numbers)
        list(write(Path(where) / "bundles", Size(runs=runs, tests=tests)))
    else:
        sys.stdout.write(READERS[name](Path(where)))
