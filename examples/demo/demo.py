"""
The whole flow on one machine: baseline, pull request, comment, issue, scaffold.

Two projects: itsdangerous with its own test suite, from its sdist, and the
shop beside this file, whose tests have the usual troubles. Nothing here talks
to GitHub, and the checkout stays as it is.
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SHOP = ROOT / "examples/shop"
TELLTALE = [str(ROOT / "scripts/telltale")]
GIT = ["git", "-c", "user.name=demo", "-c", "user.email=demo@example.invalid"]
BASELINE_RUNS = 6
MOST_RUNS = 40
"""A test that fails every other time may need a few more runs until it was seen to do both."""
FLAKY = "tests/test_tags.py::test_tags_keep_their_order"
VICTIM = "tests/test_settings.py::test_prices_are_in_euro"

started = time.monotonic()


class Stop(Exception):
    """The demo cannot go on; the message says why and what to do."""


def main():
    parser = argparse.ArgumentParser(prog="scripts/demo", description=__doc__.splitlines()[1])
    parser.add_argument("--out", metavar="DIR", help="folder to make; a temporary one by default")
    args = parser.parse_args()
    try:
        if shutil.which("git") is None:
            raise Stop("git is missing (Debian, Ubuntu: apt-get install git)")
        work = make_folder(args.out)
        python, sdist = packages()
        projects = check_out(work, sdist)
        baseline(work, projects, python)
        bundles = pull_request(work, projects, python)
        report(work, bundles)
        scaffolds(work, bundles, python, projects["shop"])
        killed(work, projects["shop"], python)
        where(work)
    except Stop as stop:
        print(f"scripts/demo: {stop}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nscripts/demo: stopped", file=sys.stderr)
        return 130
    return 0


def say(text):
    print(f"[{time.monotonic() - started:5.1f} s] {text}", flush=True)


def title(text):
    print(f"\n== {text} ==", flush=True)


# -- what the demo runs on ---------------------------------------------------------------------


def make_folder(out):
    if out is None:
        return Path(tempfile.mkdtemp(prefix="telltale-demo-"))
    work = Path(out).absolute()
    try:
        work.mkdir(parents=True)
    except OSError as error:
        raise Stop(
            f"--out: cannot make {work}: {error.strerror}; name a folder that is new"
        ) from error
    return work


def packages():
    """Fetch the packages once; afterwards the demo needs no network."""
    title("Packages (fetched once, then offline)")
    cache = cache_folder()
    env = cache / "env"
    run(
        [
            str(ROOT / "scripts/any-python"),
            "-IS",
            str(ROOT / "bot/run.py"),
            "--make-env",
            str(HERE / "requirements.txt"),
            str(env),
        ]
    )
    python = str(env / "bin/python")
    pinned = (HERE / "sdist.txt").read_text(encoding="utf-8").split()[0]
    name, version = pinned.split("==")
    sdist = cache / f"{name}-{version}.tar.gz"
    if not sdist.exists():
        run(
            [
                python,
                "-Im",
                "pip",
                "download",
                "--quiet",
                "--disable-pip-version-check",
                "--no-deps",
                "--no-binary",
                ":all:",
                "--no-build-isolation",
                "--require-hashes",
                "--dest",
                str(cache),
                "--requirement",
                str(HERE / "sdist.txt"),
            ]
        )
    # The bot half makes its environment now, so that no run has to wait for it.
    run([*TELLTALE, "flakes", "--history", str(cache / "none")], quiet=True)
    say(f"packages are in {cache}")
    return python, sdist


def cache_folder():
    homes = [
        os.environ.get("XDG_CACHE_HOME"),
        str(Path(os.environ.get("HOME") or "/nonexistent") / ".cache"),
    ]
    for home in filter(None, homes):
        folder = Path(home) / "telltale/demo"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.mkdtemp(prefix="telltale-demo-cache-"))


def check_out(work, sdist):
    """Make a git repository of each project, as a runner would have it."""
    shop = work / "shop"
    shutil.copytree(SHOP, shop, ignore=shutil.ignore_patterns("__pycache__"))
    with tarfile.open(sdist) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(work, filter="data")
        else:
            tar.extractall(work)
    package = work / "itsdangerous"
    (work / sdist.name[: -len(".tar.gz")]).rename(package)
    for repository in (shop, package):
        (repository / ".gitignore").write_text(
            "__pycache__/\n/junit.xml\n/.pytest_cache/\n", encoding="utf-8"
        )
        run([*GIT, "init", "--quiet", "--initial-branch=main"], cwd=repository)
        commit(repository, "As released")
    return {"itsdangerous": package, "shop": shop}


def commit(repository, message):
    run([*GIT, "add", "--all"], cwd=repository)
    run([*GIT, "commit", "--quiet", "--message", message], cwd=repository)


# -- the flow ----------------------------------------------------------------------------------


def profile(work, name, repository, python, *options, arguments=()):
    """Run a project's tests under measurement; return the bundle and its manifest."""
    env = ["--env", "PYTHONPATH=src"] if name == "itsdangerous" else []
    command = [python, "-m", "pytest", "-q", "--junitxml=junit.xml", *arguments]
    before = (
        set((work / "bundles" / name).glob("*")) if (work / "bundles" / name).exists() else set()
    )
    done = subprocess.run(
        [
            *TELLTALE,
            "profile-tests",
            "--name",
            name,
            "--out",
            str(work / "bundles"),
            *env,
            *options,
            "--",
            *command,
        ],
        cwd=repository,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    new = sorted(set((work / "bundles" / name).glob("*")) - before)
    if len(new) != 1:
        raise Stop(f"profile-tests left no bundle (exit status {done.returncode}):\n{done.stdout}")
    return new[0], manifest(new[0])


def manifest(bundle):
    return json.loads((bundle / "evidence.json").read_text(encoding="utf-8"))


def in_words(evidence):
    tests = evidence["tests"]
    text = f"{evidence['name']}: {tests['passed']} passed"
    failed = [failure["nodeid"].rpartition("::")[2] for failure in evidence["failures"]]
    text += f", {len(failed)} failed ({', '.join(failed)})" if failed else ""
    return text + f" in {evidence['elapsed_s']:.1f} s"


def baseline(work, projects, python):
    title("Baseline: runs of main")
    outcomes = []
    for number in range(1, MOST_RUNS + 1):
        words = []
        for name, repository in projects.items():
            if number > BASELINE_RUNS and name != "shop":
                continue
            bundle, evidence = profile(work, name, repository, python)
            words.append(in_words(evidence))
            run([*TELLTALE, "record", str(bundle), "--history", str(work / "history")], quiet=True)
            if name == "shop":
                outcomes.append(any(failure["nodeid"] == FLAKY for failure in evidence["failures"]))
        say(f"run {number}: {' | '.join(words)}")
        if number >= BASELINE_RUNS and outcomes.count(True) >= 2 and False in outcomes:
            return
    raise Stop(f"{FLAKY} did not come and go in {MOST_RUNS} runs, which should not happen")


def pull_request(work, projects, python):
    title(
        "The pull request: it makes the report slower and adds a test that leaves a variable behind"
    )
    shop = projects["shop"]
    run([*GIT, "switch", "--quiet", "--create", "sorted-report"], cwd=shop)
    run([*GIT, "apply", "change.patch"], cwd=shop)
    commit(shop, "Sort the report")
    package, evidence = profile(work, "itsdangerous", projects["itsdangerous"], python)
    words = in_words(evidence)
    for number in range(1, MOST_RUNS + 1):
        bundle, evidence = profile(work, "shop", shop, python)
        say(f"run {number}: {words + ' | ' if number == 1 else ''}{in_words(evidence)}")
        if any(failure["nodeid"] == FLAKY for failure in evidence["failures"]):
            return {"itsdangerous": package, "shop": bundle}
        # A flake comes and goes; the demo pushes again until it comes.
    raise Stop(f"{FLAKY} did not fail in {MOST_RUNS} runs, which should not happen")


def report(work, bundles):
    title("The comment on the pull request")
    run(
        [
            *TELLTALE,
            "report",
            *map(str, bundles.values()),
            "--history",
            str(work / "history"),
            "--dry-run",
            "--out",
            str(work / "report"),
        ],
        quiet=True,
    )
    print(plain((work / "report/comment.md").read_text(encoding="utf-8")))
    issues = sorted((work / "report/issues").glob("*.md"))
    if not issues:
        raise Stop(f"no issue was written to {work / 'report/issues'}")
    for issue in issues:
        title(f"The issue it opens ({issue.name})")
        print(plain(issue.read_text(encoding="utf-8")))


def plain(markdown):
    """Leave out what a terminal does not show: comments and tags."""
    text = re.sub(
        r"<!--.*?-->\n?|</?(?:details|summary|sub|b|br)[^>]*>", "", markdown, flags=re.DOTALL
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def scaffolds(work, bundles, python, shop):
    filed = sorted(path.parent for path in (work / "report/scaffolds").glob("*/run_test.sh"))
    if not filed:
        raise Stop(f"no scaffold was written to {work / 'report/scaffolds'}")
    run(
        [
            *TELLTALE,
            "scaffold",
            str(bundles["shop"]),
            "--nodeid",
            VICTIM,
            "--out",
            str(work / "scaffolds"),
        ],
        quiet=True,
    )
    others = sorted(path.parent for path in (work / "scaffolds").glob("*/run_test.sh"))
    for folder, why in [
        (filed[0], "of the issue"),
        (others[0], "of the test that fails after another"),
    ]:
        title(f"The scaffold {why}: {folder / 'run_test.sh'}")
        done = subprocess.run(
            [str(folder / "run_test.sh"), "--source", str(shop)],
            env={
                **os.environ,
                "PATH": f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        print(done.stdout.rstrip())
        say(
            f"exit status {done.returncode}: "
            + {
                0: "not reproduced",
                1: "reproduced with the same signature",
                2: "could not run",
                3: "failed in another way",
            }.get(done.returncode, "?")
        )
        if done.returncode != 1:
            raise Stop(
                f"{folder.name} did not reproduce its failure; its logs are in {folder / 'logs'}"
            )


def killed(work, shop, python):
    title("A run that is killed half-way still leaves its evidence")
    command = [
        *TELLTALE,
        "profile-tests",
        "--name",
        "killed",
        "--out",
        str(work / "bundles"),
        "--",
        python,
        "-m",
        "pytest",
        "-v",
        "--junitxml=junit.xml",
    ]
    process = subprocess.Popen(
        command, cwd=shop, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    for line in process.stdout:
        if "test_receipts_differ" in line:  # half-way
            child = re.search(
                r"\d+", Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
            )
            os.kill(int(child[0]), signal.SIGKILL)
            break
    process.stdout.read()
    status = process.wait()
    (bundle,) = (work / "bundles/killed").iterdir()
    evidence = manifest(bundle)
    say(
        f"pytest was killed with SIGKILL: exit status {status}, outcome {evidence['outcome']!r}, signal {evidence['signal']}"
    )
    print((bundle / "analysis/summary.md").read_text(encoding="utf-8").rstrip())


def where(work):
    title("Where everything is")
    for path, what in [
        ("report/report.html", "the report, to open in a browser"),
        ("report/comment.md", "the comment as it is posted"),
        ("report/issues", "the issues"),
        ("report/scaffolds", "their scaffolds"),
        ("bundles", "the evidence bundles"),
        ("history", "the history"),
    ]:
        print(f"  {work / path}\n      {what}")
    say("done")


def run(command, cwd=None, quiet=False):
    done = subprocess.run(
        command,
        cwd=cwd,
        text=True,
        errors="replace",
        check=False,
        stdout=subprocess.PIPE if quiet else None,
        stderr=subprocess.STDOUT if quiet else None,
    )
    if done.returncode != 0:
        shown = " ".join(map(str, command))
        raise Stop(
            f"this failed with exit status {done.returncode}: {shown}\n{done.stdout or ''}".rstrip()
        )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
