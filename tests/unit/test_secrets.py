"""Nothing that is secret gets into a bundle, nor into anything that is made of one."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from telltale.capture.logs import Stream
from telltale.capture.redact import HIDDEN, Redactor
from telltale.verbs.second_net import Net
from tests.support import ROOT, assert_valid_bundle
from tests.unit.planted import INNOCENT, Planted, planted

SHOWN, KNOWN = planted(20261122), planted(20261123)
"""Nothing is known of the first; the second are in the environment."""
MASKED = ("an ordinary phrase", "of two lines")
LEARNED = "told-by-the-command"
SUITE = """
import json, os, sys
from pathlib import Path
import pytest

SPEC = json.loads(Path(os.environ["SPEC"]).read_text("utf-8"))
FAIL = os.environ["FAIL"] == "1"
TEXT = "\\n".join(SPEC["lines"])


@pytest.mark.parametrize("value", SPEC["ids"])
def test_ids(value):
    assert value


def test_prints(record_property):
    record_property("api_key", SPEC["words"][0])
    record_property("harmless", TEXT)
    print(TEXT)
    print(TEXT, file=sys.stderr)


def test_fails():
    password = SPEC["words"][1]
    print(TEXT)
    assert not FAIL, TEXT


if __name__ == "__main__":
    print("::add-mask::" + SPEC["learned"], flush=True)
    for line in SPEC["lines"]:
        data = (line + "\\n").encode()
        for fd in (1, 2):
            half = len(data) // 2
            for part in (data[:half], data[half:]):
                os.write(fd, part)
    status = pytest.main(["-q", "-l", "-p", "no:cacheprovider", "--junitxml=junit.xml",
                          "-o", "junit_logging=all", __file__])
    # No end of the line: the last words are in the log all the same.
    os.write(1, SPEC["lines"][0].encode())
    raise SystemExit(status)
"""


@pytest.mark.parametrize("secret", SHOWN, ids=lambda secret: secret.kind)
class TestKind:
    def test_it_is_hidden_by_its_looks(self, secret: Planted) -> None:
        text = Redactor({}).text(f"before\n{secret.line}\nafter")

        assert [core for core in secret.cores if core in text] == []
        assert HIDDEN in text or "://" in text
        assert text.startswith("before\n")
        assert text.endswith("\nafter")

    def test_it_is_hidden_byte_by_byte(self, secret: Planted) -> None:
        stream = Stream(Redactor({}))
        data = f"before\n{secret.line}\nafter".encode()
        kept = b"".join(stream.feed(data[at : at + 1]) for at in range(len(data))) + stream.end()

        assert kept.decode() == Redactor({}).text(data.decode())

    def test_it_is_hidden_in_a_command_line(self, secret: Planted) -> None:
        (word,) = Redactor({}).argv([secret.word])

        assert [core for core in secret.cores if core in word] == []


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.integers(min_value=0, max_value=2**64))
def test_no_draw_of_any_kind_is_seen(seed: int) -> None:
    redactor = Redactor({})
    seen = [
        (secret.kind, text)
        for secret in planted(seed)
        for text in (redactor.text(secret.line), *redactor.argv([secret.word]), *apart(secret))
        if any(core in text for core in secret.cores)
    ]

    assert seen == []


def apart(secret: Planted) -> tuple[str, ...]:
    """Return the redacted words of `--token VALUE`, when the secret stands in `--token=VALUE`."""
    flag, equals, value = secret.word.partition("=")
    return Redactor({}).argv([flag, value]) if equals and flag.startswith("--") else ()


@pytest.mark.parametrize(
    "sign", ["%7", "%2F", "%s", "$2b$12$", "a(", ";", "-", "--", ";a ", "&", ")", "="]
)
def test_a_secret_may_begin_with_any_sign(sign: str) -> None:
    value = f"{sign}Zq3w7Xk5Tn8Rb2Lm"
    redactor = Redactor({})
    words = [
        *redactor.argv(["--token", value]),
        *redactor.argv([f"--token={value}"]),
        *redactor.argv(["env", f"A_TOKEN={value}", "pytest"]),
        redactor.text(f"password='{value}'"),
        redactor.text(f'{{"password": "{value}"}}'),
    ]
    if sign[0] in "%$-":
        words.append(redactor.text(f"https://h.example/c?n=1&sig={value}&se=2"))
    if sign[0] not in ";&)":
        words.append(redactor.text(f"+ deploy --password {value} --to prod"))

    assert [word for word in words if value[-16:] in word] == []


def test_there_are_enough_kinds() -> None:
    assert len({secret.kind for secret in SHOWN}) == len(SHOWN) >= 100
    assert len(set(INNOCENT)) >= 30


@pytest.mark.parametrize("text", INNOCENT)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    assert Redactor({}).text(text) == text
    assert Redactor({}).secrets(text) == text
    assert Net().text(text) == text


# The whole way, for real


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a run and its report left, and what people saw live."""

    bundle: Path
    report: Path
    history: Path
    live: str


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    top = tmp_path_factory.mktemp("secrets")
    project = top / "project"
    project.mkdir()
    (project / "test_suite.py").write_text(SUITE, "utf-8")
    git = ("git", "-C", str(project), "-c", "user.name=a", "-c", "user.email=a@b.c")
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "test_suite.py"], check=True)
    subprocess.run([*git, "commit", "-q", "-m", "one"], check=True)
    (top / "spec.json").write_text(json.dumps(spec()), "utf-8")
    profile(top, fail=False)
    profile(top, fail=True)
    telltale(top, "record", "earlier", "--history", "history")
    (top / "earlier").rename(top / "recorded")
    live = profile(top, fail=True)
    (bundle,) = (top / "earlier/tests").iterdir()
    telltale(top, "report", bundle, "--dry-run", "--history", "history", "--out", "report")
    return Left(bundle=bundle, report=top / "report", history=top / "history", live=live)


def spec() -> dict[str, object]:
    known = [core for secret in KNOWN for core in secret.cores]
    return {
        "lines": [
            *(secret.line for secret in SHOWN),
            *known,
            *(json.dumps({"x": core}) for core in known),
            *(quote(core, safe="") for core in known),
            *(
                base64.b64encode(f"{pad}{core}".encode()).decode()
                for core in known
                for pad in ("", "x", "xy")
            ),
            *MASKED,
            LEARNED,
            *INNOCENT,
        ],
        "ids": [secret.word for secret in SHOWN if secret.word == secret.cores[0]][:10],
        "words": ["tiny", "open-sesame"],
        "learned": LEARNED,
    }


def environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    secrets = {
        f"{secret.kind.upper().replace('-', '_').replace(' ', '_')}_SECRET": (
            secret.line if len(secret.cores) > 2 else "\n".join(secret.cores)
        )
        for secret in KNOWN
    }
    return {**kept, **secrets, "TELLTALE_MASK": "\n".join(MASKED)}


def profile(top: Path, *, fail: bool) -> str:
    words = [word for secret in (*SHOWN, *KNOWN) for word in (secret.word,) if word]
    done = subprocess.run(
        [
            *(sys.executable, ROOT / "bot/run.py", "profile-tests", "--out", top / "earlier"),
            *("--env", f"SPEC={top}/spec.json", "--env", f"FAIL={int(fail)}"),
            *("--env", f"SOME={SHOWN[1].cores[0]}", "--env", "HIDE_KEY=tiny"),
            *("--", sys.executable, "test_suite.py", *words, "--password", "open-sesame"),
        ],
        cwd=top / "project",
        env=environment(),
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == int(fail), done.stderr[-3000:]
    return done.stdout


def telltale(top: Path, *argv: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-X", "telltale", ROOT / "bot/run.py", *argv],
        cwd=top,
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def spellings() -> Iterator[tuple[str, bytes]]:
    for secret in (*SHOWN, *KNOWN):
        for core in secret.cores:
            yield secret.kind, core.encode()
            yield f"{secret.kind}, in JSON", json.dumps(core)[1:-1].encode()
            if len(core) > 24:
                yield f"{secret.kind}, shortened", core[:18].encode()
            if secret in KNOWN:
                yield f"{secret.kind}, percent-encoded", quote(core, safe="").encode()
                for pad in ("", "x", "xy"):
                    whole = base64.b64encode(f"{pad}{core}".encode()).rstrip(b"=")
                    yield f"{secret.kind}, in base64", whole[4:-1]
    for text in (*MASKED, LEARNED, "open-sesame"):
        yield text, text.encode()


def found_in(folder: Path) -> list[str]:
    wanted = tuple(spellings())
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [
        f"{kind} in {path.relative_to(folder)}"
        for path in files
        for content in (path.read_bytes() + str(path.relative_to(folder)).encode(),)
        for kind, text in wanted
        if text in content
    ]


def read(path: Path) -> str:
    # Not read_text, which takes a `\\r` for the end of a line.
    return path.read_bytes().decode("utf-8")


def test_none_is_in_the_bundle(left: Left) -> None:
    assert found_in(left.bundle) == []
    evidence = assert_valid_bundle(left.bundle)
    assert len(evidence.failures) == 1


def test_none_is_in_the_report_the_issue_the_scaffold_and_the_history(left: Left) -> None:
    assert {path.name for path in left.report.iterdir()} == {
        *("comment.md", "summary.md", "report.html", "report.json", "issues", "scaffolds")
    }
    assert found_in(left.report) == []
    assert found_in(left.history) == []


def test_what_only_looks_like_one_is_there(left: Left) -> None:
    log = read(left.bundle / "logs/output.log")
    (failed,) = (
        line
        for line in map(json.loads, read(left.bundle / "artifacts/tests.jsonl").splitlines())
        if line["phase"] == "total" and line["outcome"] == "failed"
    )
    for text in INNOCENT:
        assert text in log
        assert text.lstrip("\x1b") in failed["text"] or "\x1b" in text
    assert failed["nodeid"] == "test_suite.py::test_fails"


def test_the_live_output_is_as_it_came(left: Left) -> None:
    assert SHOWN[0].line in left.live
    assert f"::add-mask::{LEARNED}\n" in left.live
