"""The evidence bundle: claimed once, written whole, read with suspicion."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import string
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from telltale import bundle, cli
from telltale.capture import timefile
from telltale.errors import BundleError, UsageError
from telltale.model import (
    BundleKind,
    Command,
    Confirmation,
    Evidence,
    Failure,
    FailureKind,
    GithubRun,
    Host,
    Outcome,
    Resources,
    Source,
    TestCounts,
    TestOutcome,
    TestResult,
    Verdict,
)
from tests.support import ROOT, assert_valid_bundle, assert_valid_manifest

NOON = datetime(2026, 11, 22, 12, 0, 0, tzinfo=timezone.utc)

# Claiming


def test_a_bundle_lies_in_a_folder_of_its_name_and_second(tmp_path: Path) -> None:
    folder = bundle.claim(tmp_path / "out", "unit", NOON)

    assert folder == tmp_path / "out/unit/20261122T120000Z"
    assert sorted(path.name for path in folder.iterdir()) == sorted(bundle.FOLDERS)


def test_the_stamp_is_in_utc(tmp_path: Path) -> None:
    there = NOON.astimezone(timezone(timedelta(hours=-9)))

    assert bundle.claim(tmp_path, "unit", there).name == "20261122T120000Z"


def test_claims_at_the_same_moment_never_share_a_folder(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        folders = list(pool.map(lambda _: bundle.claim(tmp_path, "unit", NOON), range(64)))

    assert len(set(folders)) == 64
    assert {folder.name for folder in folders} == {
        "20261122T120000Z",
        *(f"20261122T120000Z-{number}" for number in range(2, 65)),
    }


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("unit", "unit"),
        ("py 3.12 / ubuntu", "py-3.12-ubuntu"),
        ("../../etc", "etc"),
        ("", "unnamed"),
        ("..", "unnamed"),
        ("x" * 300, "x" * 100),
    ],
)
def test_a_name_becomes_one_part_of_a_path(name: str, safe: str) -> None:
    assert bundle.path_safe(name) == safe


@settings(deadline=None)
@given(st.text())
def test_no_name_leaves_its_folder(name: str) -> None:
    safe = bundle.path_safe(name)

    assert set(safe) <= set(string.ascii_letters + string.digits + "._-")
    assert safe == os.path.basename(safe)  # noqa: PTH119
    assert safe not in {"", ".", ".."}
    assert bundle.path_safe(safe) == safe


def test_a_folder_that_cannot_be_written_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match=r"--out: cannot make .*file/out: Not a directory"):
        bundle.claim(tmp_path / "file" / "out", "unit", NOON)


# Writing and reading

# What UTF-8 cannot say is written as an escape, so it is not what was given.
texts = st.text(st.characters(codec="utf-8"), max_size=40)
seconds = st.none() | st.floats(0, 1e6)
counts = st.none() | st.integers(0, 1 << 50)
names = st.dictionaries(texts, texts, max_size=3)


evidences = st.builds(
    Evidence,
    kind=st.sampled_from(BundleKind),
    name=texts,
    outcome=st.sampled_from(sorted(set(Outcome) - {Outcome.RUNNING})),
    command=st.builds(
        Command, argv=st.lists(texts).map(tuple), cwd=texts, env=names, timeout_s=seconds
    ),
    started_at=st.integers(0, 1 << 33).map(
        lambda second: bundle.instant(datetime.fromtimestamp(second, timezone.utc))
    ),
    exit_code=st.integers(0, 255),
    signal=st.none() | st.integers(1, 64),
    elapsed_s=st.floats(0, 1e6),
    resources=st.builds(
        Resources,
        **{
            field.name: seconds if field.name.endswith(("_s", "percent")) else counts
            for field in dataclasses.fields(Resources)
        },
    ),
    host=st.builds(Host, fingerprint=st.sampled_from(["", "5eed5eed5eed5eed"]), parts=names),
    source=st.builds(
        Source, repository=texts, sha=texts, ref=texts, dirty=st.none() | st.booleans()
    ),
    github=st.none()
    | st.builds(
        GithubRun,
        run_id=st.integers(0, 1 << 40),
        run_attempt=st.integers(1, 20),
        job=texts,
        event=texts,
        workflow=texts,
        runner=texts,
    ),
    tests=st.none()
    | st.builds(
        TestCounts,
        **{field.name: st.integers(0, 1 << 30) for field in dataclasses.fields(TestCounts)},
    ),
    failures=st.lists(
        st.builds(
            Failure,
            nodeid=texts,
            kind=st.sampled_from(FailureKind),
            signature=st.just("v1:0123456789abcdef"),
            message=texts,
            text=texts,
        ),
        max_size=3,
    ).map(tuple),
    findings=st.lists(texts, max_size=3).map(tuple),
    confirmations=st.lists(
        st.builds(
            Confirmation,
            nodeid=texts,
            metric=texts,
            unit=texts,
            base=st.lists(st.floats(0, 1e6), max_size=5).map(tuple),
            head=st.lists(st.floats(0, 1e6), max_size=5).map(tuple),
            wins=st.integers(0, 25),
            pairs=st.integers(0, 25),
            verdict=st.sampled_from(Verdict),
            reason=texts,
        ),
        max_size=3,
    ).map(tuple),
    telltale=texts,
)


@settings(deadline=None)
@given(evidence=evidences)
def test_what_is_written_is_what_is_read(
    evidence: Evidence, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("bundle")

    bundle.write_manifest(folder, evidence)

    assert bundle.read_manifest(folder) == evidence
    assert_valid_manifest(folder)


def a_run(**changes: Any) -> Evidence:
    """The manifest of a run that passed, with some fields changed."""
    evidence = Evidence(
        kind=BundleKind.TESTS,
        name="unit",
        outcome=Outcome.PASSED,
        command=Command(argv=("pytest", "-q"), cwd="."),
        started_at="2026-11-22T12:00:00Z",
        exit_code=0,
        elapsed_s=1.5,
        resources=Resources(wall_s=1.5),
    )
    return dataclasses.replace(evidence, **changes)


def a_bundle(tmp_path: Path, evidence: Evidence | None = None) -> Path:
    """A complete bundle."""
    folder = bundle.claim(tmp_path, "unit", NOON)
    for name in bundle.ALWAYS + bundle.STARTED:
        (folder / name).write_text("0\n", encoding="ascii")
    times = timefile.render(("true",), Resources(wall_s=1.5), exit_code=0, signal=None)
    (folder / "artifacts/time.txt").write_text(times, encoding="ascii")
    bundle.write_manifest(folder, evidence or a_run())
    return folder


def test_text_that_is_no_unicode_is_written_escaped(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path, a_run(command=Command(argv=("caf\udce9",), cwd=".")))

    assert bundle.read_manifest(folder).command.argv == (r"caf\udce9",)
    assert_valid_bundle(folder)


def test_a_running_manifest_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path, a_run(outcome=Outcome.RUNNING, exit_code=None, elapsed_s=None))
    assert_valid_manifest(folder)
    reader = (folder / bundle.MANIFEST).open(encoding="utf-8")

    bundle.write_manifest(folder, a_run())

    with reader:
        assert json.load(reader)["outcome"] == "running", "the old file was written over"
    assert bundle.read_manifest(folder).outcome is Outcome.PASSED
    assert not list(folder.glob(".*"))


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path)
    broken = a_run(elapsed_s=float("nan"))

    with pytest.raises(ValueError, match="Out of range"):
        bundle.write_manifest(folder, broken)

    assert bundle.read_manifest(folder) == a_run()


def test_the_manifest_holds_the_first_500_failures_and_the_ends_of_long_texts(
    tmp_path: Path,
) -> None:
    failure = Failure(
        nodeid="test_a.py::test",
        kind=FailureKind.ASSERTION,
        signature="v1:0123456789abcdef",
        message="assert 0",
        text="begin" + "x" * 100_000 + "end",
    )
    folder = a_bundle(tmp_path, a_run(failures=(failure,) * 600))

    found = bundle.read_manifest(folder).failures

    assert len(found) == 500
    assert len(found[0].text) == bundle.TEXT_LIMIT
    assert found[0].text.startswith("begin")
    assert found[0].text.endswith("end")
    assert "characters left out" in found[0].text
    assert_valid_bundle(folder)


def test_however_much_failed_and_was_found_the_manifest_can_be_read(tmp_path: Path) -> None:
    failure = Failure(
        nodeid="test_a.py::test",
        kind=FailureKind.ASSERTION,
        signature="v1:0123456789abcdef",
        message="assert 0",
        # Six bytes each in JSON.
        text="\u00e9" * bundle.TEXT_LIMIT,
    )
    folder = a_bundle(tmp_path, a_run(failures=(failure,) * 500, findings=("found",) * 5000))

    assert (folder / bundle.MANIFEST).stat().st_size < bundle.MANIFEST_LIMIT
    found = assert_valid_bundle(folder)
    assert len(found.failures[0].text) == bundle.TEXT_LIMIT
    assert len(found.failures[-1].text) == 500
    assert found.findings[-1] == "left out: 4800 more"


def test_however_much_failed_the_tests_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "TESTS_LIMIT", 1_000_000)
    folder = a_bundle(tmp_path)
    failed = TestResult(nodeid="a", outcome=TestOutcome.FAILED, duration_s=0.0, text="x" * 100_000)

    bundle.write_tests(folder, [failed] * 400, source="junit")

    found = bundle.read_tests(folder)
    assert len(found) == 400
    assert (len(found[0].text), len(found[-1].text)) == (100_000, 500)


@settings(deadline=None)
@given(st.text(max_size=300), st.integers(0, 200))
def test_clipping_keeps_the_limit(text: str, limit: int) -> None:
    clipped = bundle.clip(text, limit)

    assert len(clipped) <= limit
    assert (clipped == text) == (len(text) <= limit)


# Suspicion

HOSTILE: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "another-schema": (lambda d: d.update(schema="telltale.evidence/9"), "schema: expected"),
    "a-list-for-a-text": (lambda d: d.update(name=["unit"]), "name: expected text"),
    "an-unknown-outcome": (lambda d: d.update(outcome="fine"), "outcome: expected one of"),
    "no-command": (lambda d: d.pop("command"), "command: expected an object"),
    "a-number-in-argv": (lambda d: d["command"].update(argv=["a", 7]), r"command\.argv\.1"),
    "true-for-a-number": (lambda d: d.update(exit_code=True), "exit_code: expected a whole"),
    "a-huge-number": (lambda d: d.update(exit_code=1 << 64), "exit_code: expected a whole"),
    "a-negative-time": (lambda d: d.update(elapsed_s=-1), "elapsed_s: expected a number"),
    "infinity": (lambda d: d.update(elapsed_s=float("inf")), "Infinity is no number"),
    "no-instant": (lambda d: d.update(started_at="yesterday"), "started_at: expected an instant"),
    "a-wrong-signature": (
        lambda d: d.update(failures=[{"nodeid": "a", "kind": "oom", "signature": "<script>"}]),
        r"failures\[0\]\.signature: expected v1:",
    ),
    "failures-without-end": (lambda d: d.update(failures=[{}] * 501), "at most 500"),
    "a-text-for-counts": (lambda d: d.update(tests="many"), "tests: expected an object"),
    "half-a-run": (lambda d: d.update(github={"run_id": 1}), "github.run_attempt: expected"),
}


@pytest.mark.parametrize(("change", "message"), HOSTILE.values(), ids=HOSTILE)
def test_a_wrong_manifest_is_refused_by_file_and_key(
    change: Callable[[dict[str, Any]], object], message: str, tmp_path: Path
) -> None:
    folder = a_bundle(tmp_path)
    path = folder / bundle.MANIFEST
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")

    with pytest.raises(BundleError, match=message) as caught:
        bundle.read_manifest(folder)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b'{"schema": "tell', id="cut-off"),
        pytest.param(b"\xff\xfe\x00", id="no-utf8"),
        pytest.param(b"[]", id="no-object"),
        pytest.param(b"[" * 200_000, id="deeply-nested"),
        pytest.param(b'{"exit_code": ' + b"9" * 10_000 + b"}", id="number-of-10000-digits"),
    ],
)
def test_what_is_no_manifest_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / bundle.MANIFEST).write_bytes(content)

    with pytest.raises(BundleError, match=r"evidence\.json"):
        bundle.read_manifest(tmp_path)


def test_a_manifest_without_end_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / bundle.MANIFEST).open("wb") as file:
        file.truncate(bundle.MANIFEST_LIMIT + 1)

    with pytest.raises(BundleError, match="too large"):
        bundle.read_manifest(tmp_path)


def test_a_link_or_a_pipe_is_no_manifest(tmp_path: Path) -> None:
    link, pipe = tmp_path / "link", tmp_path / "pipe"
    for folder in (link, pipe):
        folder.mkdir()
    (link / bundle.MANIFEST).symlink_to("/etc/passwd")
    os.mkfifo(pipe / bundle.MANIFEST)

    for folder in (link, pipe):
        with pytest.raises(BundleError):
            bundle.read_manifest(folder)


def test_lone_surrogates_do_not_get_in(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path)
    path = folder / bundle.MANIFEST
    path.write_text(path.read_text("utf-8").replace('"unit"', r'"\ud800"'), encoding="utf-8")

    assert bundle.read_manifest(folder).name == "?"


def test_unknown_keys_are_for_later_versions(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path)
    path = folder / bundle.MANIFEST
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**document, "later": {"more": 1}}), encoding="utf-8")

    assert bundle.read_manifest(folder) == a_run()


# Tests

RESULTS = (
    TestResult(nodeid="test_a.py::test_1", outcome=TestOutcome.PASSED, duration_s=0.25),
    TestResult(
        nodeid="test_a.py::test_2[\u00e9\n]",
        outcome=TestOutcome.FAILED,
        duration_s=1.0,
        message="assert 0",
        text="E   assert 0\n",
    ),
)


def test_tests_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path)

    assert bundle.read_tests(folder) == ()
    bundle.write_tests(folder, RESULTS, source="junit")
    assert bundle.read_tests(folder) == RESULTS


def test_lines_of_phases_and_a_torn_last_line_are_passed_over(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path)
    bundle.write_tests(folder, RESULTS, source="junit")
    with (folder / bundle.TESTS).open("a", encoding="utf-8") as file:
        file.write('{"phase": "setup", "nodeid": "test_a.py::test_3"}\n{"phase": "tot')

    assert bundle.read_tests(folder) == RESULTS


@pytest.mark.parametrize(
    ("line", "message"),
    [
        pytest.param(b"nonsense\n", "line 1 is no JSON", id="no-json"),
        pytest.param(b'{"phase": "total"}\n', "line 1: nodeid: expected text", id="no-nodeid"),
        pytest.param(
            b'{"phase": "total", "nodeid": "a", "outcome": "passed", "wall_s": 1e999}\n',
            "line 1: wall_s: expected a number",
            id="infinite",
        ),
        pytest.param(b"x" * (bundle.LINE_LIMIT + 1), "line 1 is longer", id="endless"),
    ],
)
def test_a_wrong_line_is_refused_by_its_number(line: bytes, message: str, tmp_path: Path) -> None:
    folder = a_bundle(tmp_path)
    (folder / bundle.TESTS).write_bytes(line)

    with pytest.raises(BundleError, match=message):
        bundle.read_tests(folder)


# Finding


def test_bundles_are_found_at_any_depth_and_once(tmp_path: Path) -> None:
    first = a_bundle(tmp_path / "a")
    second = a_bundle(tmp_path / "b/c/d")
    (tmp_path / "loop").symlink_to(tmp_path)
    too_deep = tmp_path / "1/2/3/4/5/6/7"
    too_deep.mkdir(parents=True)
    (too_deep / bundle.MANIFEST).touch()

    assert bundle.find([tmp_path]) == (first, second)
    assert bundle.find([first, first / bundle.MANIFEST, tmp_path / "a"]) == (first,)
    assert bundle.find([too_deep]) == (too_deep,)
    assert bundle.find([tmp_path / "1/2"]) == (too_deep,)


def test_a_path_that_does_not_exist_is_said(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="there is no such folder"):
        bundle.find([tmp_path / "nowhere"])


# Verifying


def test_a_complete_bundle_has_no_problem(tmp_path: Path) -> None:
    assert_valid_bundle(a_bundle(tmp_path))


def test_a_bundle_of_a_killed_telltale_was_never_finished(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path, a_run(outcome=Outcome.RUNNING, exit_code=None))

    assert bundle.verify(folder) == (
        f"{folder}/evidence.json: never finished: Telltale itself was killed",
    )


def test_a_command_that_never_started_needs_no_log(tmp_path: Path) -> None:
    folder = a_bundle(tmp_path)
    for name in bundle.STARTED:
        (folder / name).unlink()
    bundle.write_manifest(folder, a_run(resources=Resources()))

    assert bundle.verify(folder) == ()
    bundle.write_manifest(folder, a_run())
    assert bundle.verify(folder) == tuple(f"{folder}/{name}: missing" for name in bundle.STARTED)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(
            lambda folder: (folder / "logs/output.log").write_bytes(b"0"),
            "has 1 bytes, the manifest says 2",
            id="shorter",
        ),
        pytest.param(
            lambda folder: (folder / "logs/output.log").write_bytes(b"1\n"),
            "was changed after the run",
            id="changed",
        ),
        pytest.param(lambda folder: (folder / "env/env.txt").unlink(), "missing", id="missing"),
        pytest.param(
            lambda folder: bundle.write_manifest(folder, a_run(exit_code=3)),
            "exit_code.txt: says '0', evidence.json says 3",
            id="another-status",
        ),
        pytest.param(
            lambda folder: bundle.write_manifest(
                folder, a_run(resources=Resources(wall_s=1.5, max_rss_bytes=4096))
            ),
            "Maximum resident set size (kbytes): says '0', evidence.json says 4",
            id="other-figures",
        ),
        pytest.param(
            lambda folder: bundle.write_manifest(folder, a_run(tests=TestCounts(total=1))),
            "holds other tests than evidence.json counts",
            id="other-counts",
        ),
        pytest.param(
            lambda folder: (folder / bundle.MANIFEST).write_text("{}"), "schema", id="empty"
        ),
    ],
)
def test_every_damage_is_one_problem(
    damage: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    folder = a_bundle(tmp_path)

    damage(folder)

    (problem,) = bundle.verify(folder)
    assert message in problem
    assert str(folder) in problem


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"path": "/etc/passwd", "size": 1, "sha256": None}, "lies outside the bundle"),
        ({"path": "../../secret", "size": 1, "sha256": None}, "lies outside the bundle"),
        ({"path": "logs/../../secret", "size": 1, "sha256": None}, "lies outside the bundle"),
        ({"path": "link", "size": 2, "sha256": None}, "link: missing"),
        ({"path": "x" * 5000, "size": 1, "sha256": None}, "cannot be read: "),
        ({"path": "nul\0", "size": 1, "sha256": None}, ""),
        ({"path": "logs/output.log", "size": 2, "sha256": [1]}, "was changed after the run"),
        ({"path": "logs/output.log", "size": "2"}, "size: expected a whole number"),
        ({"path": 7}, "path: expected text"),
    ],
)
def test_a_list_of_files_that_means_harm(
    entry: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = a_bundle(tmp_path)
    (folder / "link").symlink_to("/etc/passwd")
    manifest = folder / bundle.MANIFEST
    document = json.loads(manifest.read_text(encoding="utf-8"))
    document["files"] = [entry]
    manifest.write_text(json.dumps(document), encoding="utf-8")

    (problem,) = bundle.verify(folder)

    assert message in problem
    assert str(folder) in problem


# validate


def test_validate_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = a_bundle(tmp_path / "good"), a_bundle(tmp_path / "bad")
    (bad / "env/env.txt").unlink()

    assert cli.main(["validate", str(good)]) == 0
    assert capsys.readouterr().out == "1 complete bundle.\n"
    assert cli.main(["validate", str(tmp_path)]) == 1
    assert capsys.readouterr().out == f"{bad}/env/env.txt: missing\n"


def test_validate_without_a_bundle_is_misuse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["validate", str(tmp_path)]) == 2
    assert f"no evidence bundle in {tmp_path}" in capsys.readouterr().err


# What the page says


def test_the_example_of_the_page_is_a_manifest(tmp_path: Path) -> None:
    page = (ROOT / "docs/evidence-bundle.md").read_text(encoding="utf-8")
    manifest, line = re.findall(r"^```json\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "artifacts").mkdir()
    (tmp_path / bundle.MANIFEST).write_text(manifest, encoding="utf-8")
    (tmp_path / bundle.TESTS).write_text(line, encoding="utf-8")

    assert_valid_manifest(tmp_path)
    assert bundle.read_manifest(tmp_path).tests == TestCounts(
        total=412, passed=410, failed=1, skipped=1
    )
    assert bundle.read_tests(tmp_path)[0].outcome is TestOutcome.FAILED


def test_the_page_names_every_file_and_every_outcome() -> None:
    page = (ROOT / "docs/evidence-bundle.md").read_text(encoding="utf-8")

    for name in (
        bundle.MANIFEST,
        bundle.TESTS,
        *bundle.ALWAYS,
        *bundle.STARTED,
        *(o.value for o in Outcome),
    ):
        assert f"| `{name}`" in page, name


@given(
    nodeid=st.text(st.characters(exclude_categories=()), min_size=1, max_size=40),
    worker=st.sampled_from(["main", "gw0", 'g"w']),
    duration_s=st.floats(0, 1e6),
    cpu_s=st.floats(0, 1e6),
    grew=st.none() | st.integers(0, 2**50),
    attempts=st.integers(1, 5),
)
@example(nodeid="a\udc80", worker="main", duration_s=1.0, cpu_s=1.0, grew=None, attempts=1)
def test_a_test_that_passed_is_written_as_all_others(
    tmp_path_factory: pytest.TempPathFactory,
    nodeid: str,
    worker: str,
    duration_s: float,
    cpu_s: float,
    grew: int | None,
    attempts: int,
) -> None:
    """The fast way of writing gives what the general one gives, but for the failure's words."""
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "artifacts").mkdir()
    passed = TestResult(
        nodeid=nodeid,
        outcome=TestOutcome.PASSED,
        duration_s=duration_s,
        cpu_s=cpu_s,
        rss_peak_change_bytes=grew,
        worker=worker,
        attempts=attempts,
    )
    bundle.write_tests(folder, [passed, dataclasses.replace(passed, message="x")], source="junit")
    fast, general = map(json.loads, (folder / bundle.TESTS).read_bytes().splitlines())
    assert {**fast, "message": "x"} == general
    assert list(fast) == list(general)
