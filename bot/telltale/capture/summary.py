"""`analysis/summary.md`: the run for people, in ASCII, every figure from the bundle's own files."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence

from telltale.capture import shell
from telltale.capture.words import many
from telltale.model import Confirmation, Evidence, Failure, Outcome, TestResult, Verdict

_SLOWEST = 10
_FAILURES = 20
_LEAKS = 20
_RUNNING = 20
_TEXT_LINES = 40


def render(evidence: Evidence, tests: Sequence[TestResult], profiled: Sequence[str] = ()) -> str:
    """
    Return the summary as Markdown; what is not ASCII is escaped as Python does it.

    `profiled` are the lines that the profilers have for it.
    """
    parts = [
        *_head(evidence),
        *_alarms(evidence),
        *_running(evidence),
        *_figures(evidence),
        *_findings(evidence),
        *_failures(evidence),
        *_leaks(evidence),
        *isolation(evidence).splitlines(),
        *confirmation(evidence).splitlines(),
        *_slowest(tests),
        *_profiles(evidence, profiled),
        *_host(evidence),
    ]
    text = "\n".join(parts).rstrip("\n") + "\n"
    return text.encode("ascii", "backslashreplace").decode("ascii")


def duration(seconds: float) -> str:
    """Return seconds as people read them, as in `0.123 s`, `12.3 s` or `15 min 05 s`."""
    if seconds < 1:
        return f"{seconds:.3f} s"
    if seconds < 100:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def size(count: int) -> str:
    """Return bytes as people read them, as in `210.5 MiB`."""
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def _head(evidence: Evidence) -> Iterator[str]:
    said = [_OUTCOMES[evidence.outcome]]
    if evidence.disagreements:
        said.append("BUT THE EVIDENCE DISAGREES")
    if evidence.invalid:
        said.append("INVALID, no measurement")
    yield f"# {_text(evidence.name)}: {', '.join(said)}"
    yield ""
    yield _fence(_command(evidence.command.argv))
    yield ""


_OUTCOMES = {
    Outcome.RUNNING: "running",
    Outcome.PASSED: "passed",
    Outcome.FAILED: "failed",
    Outcome.TIMED_OUT: "killed at its limit",
    Outcome.CRASHED: "crashed",
    Outcome.INTERRUPTED: "interrupted",
    Outcome.ERROR: "could not be run",
}


def _alarms(evidence: Evidence) -> Iterator[str]:
    """Say first what changes the meaning of all that follows."""
    for title, sentences in (
        ("The evidence disagrees: one of these is wrong", evidence.disagreements),
        ("Invalid: these figures are no measurement", evidence.invalid),
    ):
        if sentences:
            yield f"**{title}**"
            yield ""
            yield from (f"- {_text(sentence)}" for sentence in sentences)
            yield ""


def _running(evidence: Evidence) -> Iterator[str]:
    """Say where it stood when it died: the first question of whoever reads this at night."""
    if not evidence.running:
        return
    yield "## Running when it ended"
    yield ""
    yield "| Test | Worker | In its | For |"
    yield "| --- | --- | --- | ---: |"
    for test in evidence.running[:_RUNNING]:
        worker, phase = _text(test.worker), _text(test.phase)
        yield f"| {_cell(_code(test.nodeid))} | {worker} | {phase} | {duration(test.for_s)} |"
    yield ""
    if len(evidence.running) > _RUNNING:
        yield f"{len(evidence.running) - _RUNNING} more are in evidence.json."
        yield ""
    if evidence.outcome is Outcome.TIMED_OUT:
        yield "Where each thread stood: `artifacts/stacks.txt`."
        yield ""


def _figures(evidence: Evidence) -> Iterator[str]:
    resources, tests = evidence.resources, evidence.tests
    rows: list[tuple[str, str]] = [
        ("Exit code", "-" if evidence.exit_code is None else str(evidence.exit_code)),
        ("Wall time", "-" if evidence.elapsed_s is None else duration(evidence.elapsed_s)),
    ]
    if evidence.command.timeout_s is not None:
        rows.append(("Time limit", duration(evidence.command.timeout_s)))
    if resources.user_s is not None and resources.system_s is not None:
        rows.append(
            (
                "CPU time",
                f"{duration(resources.user_s)} user, {duration(resources.system_s)} system",
            )
        )
    if resources.cpu_percent is not None:
        rows.append(("CPU", f"{resources.cpu_percent:g} %"))
    if resources.max_rss_bytes is not None:
        rows.append(("Peak memory, largest process", size(resources.max_rss_bytes)))
    if resources.tree_peak_rss_bytes is not None:
        rows.append(("Peak memory, all processes", size(resources.tree_peak_rss_bytes)))
    if tests is not None:
        named = ("passed", "failed", "errors", "skipped", "interrupted")
        each = [f"{getattr(tests, name)} {name}" for name in named if getattr(tests, name)]
        rows.append(("Tests", f"{tests.total}: {', '.join(each)}" if each else "0"))
    yield "## Figures"
    yield ""
    yield "| Figure | Value |"
    yield "| --- | ---: |"
    yield from (f"| {name} | {value} |" for name, value in rows)
    yield ""


def _findings(evidence: Evidence) -> Iterator[str]:
    if evidence.findings:
        yield "## Findings"
        yield ""
        yield from (f"- {_text(finding)}" for finding in evidence.findings)
        yield ""


def _failures(evidence: Evidence) -> Iterator[str]:
    if not evidence.failures:
        return
    yield f"## Failures ({len(evidence.failures)})"
    yield ""
    for failure in evidence.failures[:_FAILURES]:
        yield from _failure(failure)
    if len(evidence.failures) > _FAILURES:
        yield f"{len(evidence.failures) - _FAILURES} more are in evidence.json."
        yield ""


def _failure(failure: Failure) -> Iterator[str]:
    yield f"### {_code(failure.nodeid) if failure.nodeid else 'The run itself'}"
    yield ""
    yield f"`{failure.kind.value}`, signature `{failure.signature}`"
    yield ""
    lines = (failure.text or failure.message).splitlines()
    if len(lines) > _TEXT_LINES:
        lines = [f"[... {len(lines) - _TEXT_LINES} lines left out ...]", *lines[-_TEXT_LINES:]]
    yield _fence("\n".join(lines))
    yield ""


def _leaks(evidence: Evidence) -> Iterator[str]:
    if not evidence.leaks:
        return
    yield f"## State left changed ({len(evidence.leaks)})"
    yield ""
    yield "| Test | What | Before | After |"
    yield "| --- | --- | --- | --- |"
    for leak in evidence.leaks[:_LEAKS]:
        cells = (_cell(_code(leak.nodeid)), *map(_text, (leak.what, leak.before, leak.after)))
        yield f"| {' | '.join(cells)} |"
    yield ""
    if len(evidence.leaks) > _LEAKS:
        yield f"{len(evidence.leaks) - _LEAKS} more are in evidence.json."
        yield ""


def isolation(evidence: Evidence) -> str:
    """Return what became of running failed tests again, as Markdown; empty when none was."""
    if not evidence.isolation:
        return ""
    lines = ["## Alone or in the suite", ""]
    for each in evidence.isolation:
        lines.append(f"- {_code(each.nodeid)}: {_text(each.sentence)}")
        if each.command:
            lines += ["", _fence(each.command), ""]
    return "\n".join(lines).rstrip("\n") + "\n\n"


def confirmation(evidence: Evidence) -> str:
    """Return what measuring suspects again showed, as Markdown; empty when none was."""
    if not evidence.confirmations:
        return ""
    lines = ["## Suspects, measured again", "", f"- {confirmed(evidence)}"]
    for each in evidence.confirmations:
        name = _code(each.nodeid) if each.nodeid else "the whole run"
        lines.append(f"- {name}: {each.metric} {each.verdict.value}: {_text(each.reason)}")
    return "\n".join(lines) + "\n\n"


def confirmed(evidence: Evidence) -> str:
    """Return what became of the suspects that were measured again, in one line; empty without any."""
    suspects: dict[str, list[Confirmation]] = {}
    for each in evidence.confirmations:
        suspects.setdefault(each.nodeid, []).append(each)
    counts = Counter(map(_became, suspects.values()))
    said = ", ".join(f"{counts[what]} {what}" for what in _BECAME if counts[what])
    return f"{many(len(suspects), 'suspect')}: {said}" if suspects else ""


_BECAME = (
    *("confirmed slower", "confirmed larger", "confirmed faster", "confirmed smaller"),
    *("not", "undecided"),
)


def _became(found: Sequence[Confirmation]) -> str:
    """Return which of `_BECAME` the figures of one suspect amount to."""
    for verdict, slower, larger in (
        (Verdict.REGRESSION, *_BECAME[:2]),
        (Verdict.IMPROVEMENT, *_BECAME[2:4]),
    ):
        units = {each.unit for each in found if each.verdict is verdict}
        if units:
            return slower if "s" in units else larger
    return "undecided" if all(each.verdict is Verdict.UNDECIDED for each in found) else "not"


def _slowest(tests: Sequence[TestResult]) -> Iterator[str]:
    slowest = sorted(tests, key=lambda test: -test.duration_s)[:_SLOWEST]
    slowest = [test for test in slowest if test.duration_s > 0]
    if not slowest:
        return
    titles = ["Wall time"]
    if any(test.walls_s for test in slowest):
        titles += ["Set-up", "Call", "Tear-down", "CPU time", "Peak memory grew by"]
    yield "## Slowest tests"
    yield ""
    yield f"| Test | Outcome | {' | '.join(titles)} |"
    yield f"| --- | --- |{' ---: |' * len(titles)}"
    for test in slowest:
        name = _cell(_code(test.nodeid or "(interrupted)"))
        cells = [duration(test.duration_s), *_measured(test)][: len(titles)]
        yield f"| {name} | {test.outcome.value} | {' | '.join(cells)} |"
    yield ""


def _measured(test: TestResult) -> Iterator[str]:
    """Yield what the probe knows of a test, `-` for what is not known."""
    yield from (duration(wall_s) for wall_s in test.walls_s) if test.walls_s else "---"
    yield "-" if test.cpu_s is None else duration(test.cpu_s)
    grew = test.rss_peak_change_bytes
    yield "-" if grew is None else size(grew)


def _profiles(evidence: Evidence, lines: Sequence[str]) -> Iterator[str]:
    if not evidence.profiles:
        return
    yield "## Profiles"
    yield ""
    for profile in evidence.profiles:
        files = ", ".join(_code(file) for file in profile.files) or "nothing"
        missing = f" Missing: {_text(profile.missing)}." if profile.missing else ""
        yield f"- {_text(profile.name)}: {files}.{missing} Cost: {_text(profile.cost)}."
    yield ""
    yield from lines


def _host(evidence: Evidence) -> Iterator[str]:
    parts = evidence.host.parts
    yield "## Where it ran"
    yield ""
    if evidence.source.sha:
        state = {True: ", with changes", False: "", None: ""}[evidence.source.dirty]
        yield f"- Code: `{evidence.source.sha}`{state}"
    if evidence.host.fingerprint:
        yield f"- Host fingerprint: `{evidence.host.fingerprint}`"
    yield from (f"- {key}: {_text(value)}" for key, value in parts.items())
    yield f"- Started: {evidence.started_at}"
    yield ""


def _text(text: str) -> str:
    """Return text that Markdown shows as it is, and that reads well as it is too."""
    one_line = " ".join(text.split())
    # Within a word an underscore means nothing (GFM, "Emphasis", rules 2 and 6).
    return re.sub(r"[\\`*\[\]<>|#~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", one_line)


def _code(text: str) -> str:
    """Return an inline code span that nothing in the text can end."""
    one_line = " ".join(text.split())
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", one_line)), default=0))
    space = " " if "`" in one_line else ""
    return f"{ticks}{space}{one_line}{space}{ticks}"


def _cell(markdown: str) -> str:
    """Return what a table's cell holds; a table splits at `|` even in a code span."""
    return markdown.replace("|", "\\|")


def _fence(text: str) -> str:
    """Return a code block that nothing in the text can end."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
    return f"{ticks}text\n{text}\n{ticks}"


def _command(argv: Sequence[str]) -> str:
    return shell.text(argv) or shlex.join(argv)
