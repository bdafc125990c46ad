"""The pure parts of the profilers: what is read, joined, folded and drawn."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telltale.capture import profilers
from telltale.capture.profilers import flamegraph, perf, ptrace, speedscope, timeline
from telltale.capture.profilers.timeline import Sample
from telltale.errors import UsageError

SVG = "{http://www.w3.org/2000/svg}"
STACKS = {("main", "load"): 30, ("main", "work", "inner"): 60, ("main",): 10}


# Which were asked for


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("resources", ["resources"]),
        ("py-spy, resources", ["resources", "py-spy"]),
        ("resources\npy-spy\n\nresources", ["resources", "py-spy"]),
        ("none", []),
        ("", []),
    ],
)
def test_names_by_commas_or_lines(text: str, names: list[str]) -> None:
    assert [profiler.name for profiler in profilers.choose(text)] == names


def test_an_unknown_name_is_told_beside_those_that_are_known() -> None:
    with pytest.raises(UsageError) as error:
        profilers.choose("resources,pyspy")

    known = ", ".join(profilers.KNOWN)
    assert str(error.value) == (
        f"--profile: there is no profiler 'pyspy'; known are {known}, and none for no profile"
    )


def test_none_beside_another_makes_no_sense() -> None:
    with pytest.raises(UsageError, match="none stands alone"):
        profilers.choose("none,resources")


@pytest.mark.parametrize("name", profilers.KNOWN)
def test_every_profiler_says_what_it_costs_in_one_line(name: str) -> None:
    (profiler,) = profilers.choose(name)

    assert re.fullmatch(r"[^\n]{10,200}[^\n.]", profiler.cost), profiler.cost


# The right to trace

CAPABLE = "Name:\tx\nCapEff:\t000001ffffffffff\n"
POOR = "Name:\tx\nCapEff:\t0000000000000000\n"


@pytest.mark.parametrize(
    ("scope", "status", "says"),
    [
        (None, POOR, ""),
        ("0\n", POOR, ""),
        ("1\n", CAPABLE, ""),
        ("2\n", CAPABLE, ""),
        ("1\n", POOR, "lacks CAP_SYS_PTRACE: sudo sysctl kernel.yama.ptrace_scope=0"),
        ("2\n", POOR, "lacks CAP_SYS_PTRACE"),
        ("3\n", CAPABLE, "until a reboot"),
    ],
)
def test_the_right_to_trace(tmp_path: Path, scope: str | None, status: str, says: str) -> None:
    if scope is not None:
        (tmp_path / "scope").write_text(scope, encoding="ascii")
    (tmp_path / "status").write_text(status, encoding="ascii")

    found = ptrace.refused(scope=tmp_path / "scope", status=tmp_path / "status")

    assert (says in found) if says else (found == "")


# speedscope


def recording(name: str = "Process 7") -> dict[str, object]:
    frames = [
        {"name": "main", "file": "/home/alice/shop/run.py", "line": 9, "col": None},
        {"name": "work", "file": "/home/alice/shop/cart.py", "line": 3, "col": None},
    ]
    profile = {
        "type": "sampled",
        "name": name,
        "unit": "seconds",
        "startValue": 0.0,
        "endValue": 0.03,
        "samples": [[0], [0, 1], [0, 1]],
        "weights": [0.01, 0.01, 0.01],
    }
    return {"profiles": [profile], "shared": {"frames": frames}, "exporter": "py-spy@0.4.3"}


def test_recordings_are_joined_into_one_file_of_which_names_are_redacted() -> None:
    joined = speedscope.join(
        [recording(), recording("Process 8")],
        "py-spy",
        lambda text: text.replace("/home/alice", "~"),
    )

    assert json.loads(json.dumps(joined)) == joined
    assert joined["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert [profile["name"] for profile in joined["profiles"]] == ["Process 7", "Process 8"]
    assert joined["profiles"][1]["samples"] == [[2], [2, 3], [2, 3]]
    assert joined["shared"]["frames"][3] == {"name": "work", "file": "~/shop/cart.py", "line": 3}


def test_command_lines_are_not_kept() -> None:
    one = recording()
    one["shared"] = {
        "frames": [{"name": 'process 7:"python run.py --password\nhunter2"'}, {"name": "b"}]
    }

    joined = speedscope.join([one], "py-spy", str)

    assert joined["shared"]["frames"] == [{"name": "process 7"}, {"name": "b"}]


def test_command_lines_are_taken_out_of_a_raw_recording_too(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    frames = [{"name": 'process 7:"run --password \\"hunter2\n"'}, {"name": "process me"}]
    path.write_text(json.dumps({"shared": {"frames": frames}}), encoding="ascii")

    speedscope.without_command_lines(path)

    assert json.loads(path.read_text())["shared"]["frames"] == [
        {"name": "process 7"},
        {"name": "process me"},
    ]


def test_samples_are_folded_into_stacks_without_lines() -> None:
    stacks = speedscope.fold(speedscope.join([recording()], "py-spy", str))

    main, work = "main (shop/run.py)", "work (shop/cart.py)"
    assert stacks == {("Process 7", main): 1, ("Process 7", main, work): 2}
    assert speedscope.hottest(stacks, 1) == [(work, 2)]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"profiles": 3}', "{"])
def test_what_is_no_recording_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="ascii")

    with pytest.raises((ValueError, TypeError)):
        speedscope.read(path)


def test_a_huge_recording_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with path.open("wb") as file:
        file.truncate(speedscope.MAX_BYTES + 1)

    with pytest.raises(ValueError, match="at most"):
        speedscope.read(path)


# The flame graph


def frames_of(svg: str) -> dict[str, tuple[float, float, float]]:
    """Position from the left, from the top, and width, by title."""
    root = ET.fromstring(svg)  # noqa: S314 - ours
    found = {}
    for group in root.iter(f"{SVG}g"):
        title, box = group.find(f"{SVG}title"), group.find(f"{SVG}rect")
        assert title is not None
        assert box is not None
        found[title.text or ""] = (
            float(box.attrib["x"]),
            float(box.attrib["y"]),
            float(box.attrib["width"]),
        )
    return found


def test_widths_are_samples_and_callees_lie_on_their_callers() -> None:
    frames = frames_of(flamegraph.render(STACKS, title="t"))

    whole = frames["all: 100 samples, 100.00 %"]
    main = frames["main: 100 samples, 100.00 %"]
    load = frames["load: 30 samples, 30.00 %"]
    work = frames["work: 60 samples, 60.00 %"]
    assert main[2] == whole[2] == flamegraph.WIDTH - 20
    assert load[2] == pytest.approx(0.3 * main[2], abs=0.01)
    assert work[0] == pytest.approx(load[0] + load[2], abs=0.01)
    assert whole[1] - main[1] == main[1] - work[1] == flamegraph.ROW
    assert frames["inner: 60 samples, 60.00 %"][0] == work[0]


def test_a_colour_depends_on_the_name_alone() -> None:
    def colour(svg: str) -> str:
        found = re.search(r'work: [^<]*</title><rect [^>]*fill="([^"]+)"', svg)
        assert found
        return found[1]

    one = flamegraph.render(STACKS, title="t")
    other = flamegraph.render({("work",): 1}, title="t")

    assert colour(one) == colour(other)


def test_a_graph_needs_nothing_from_outside() -> None:
    svg = flamegraph.render(STACKS, title="t")

    assert "<script" not in svg
    assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.lists(st.text(max_size=9), max_size=3).map(tuple), st.integers(1, 10**9), max_size=5
    )
)
def test_any_names_make_an_svg_that_can_be_read(stacks: dict[tuple[str, ...], int]) -> None:
    frames = frames_of(flamegraph.render(stacks, title="\x00<&>"))

    assert frames
    assert all(x + width <= flamegraph.WIDTH for x, _, width in frames.values())


def test_what_nobody_could_see_is_not_drawn() -> None:
    stacks: dict[tuple[str, ...], int] = {("main", f"f{number}"): 1 for number in range(50_000)}

    assert len(flamegraph.render(stacks, title="t")) < 5_000


# The time line


def sample(elapsed_s: float, cpu_s: float, mib: int) -> Sample:
    return Sample(elapsed_s=elapsed_s, cpu_s=cpu_s, rss_bytes=mib * 1024 * 1024)


def test_a_chart_of_two_halves() -> None:
    # Idle for 32 s, then two busy cores; memory doubles at the same time.
    chart = timeline.chart([sample(0, 0, 50), sample(32, 0, 50), sample(64, 64, 100)])

    assert chart[1] == f"CPU    |{' ' * 32}{'@' * 32}| @ = 2.00 cores"
    assert chart[2] == f"memory |{'=' * 32}{'@' * 32}| @ = 100.0 MiB"
    assert chart[3] == "        0 s" + " " * 55 + "64.0 s"


@pytest.mark.parametrize("samples", [[], [sample(0, 0, 1)], [sample(1, 0, 1), sample(1, 1, 1)]])
def test_no_chart_without_time(samples: list[Sample]) -> None:
    assert timeline.chart(samples) == ()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6), st.integers(0, 10**6)), max_size=20)
)
def test_any_samples_make_a_chart(rows: list[tuple[float, float, int]]) -> None:
    samples = [sample(*row) for row in sorted(rows)]

    for line in timeline.chart(samples)[1:3]:
        assert len(line.split("|")[1]) == timeline.COLUMNS


def test_rows_that_are_cut_short_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "samples.csv"
    path.write_text("elapsed_s,processes,cpu_s,rss_bytes\n0.1,1,0.5,1024\n0.2,1,0.", "ascii")

    assert timeline.read(path) == (Sample(elapsed_s=0.1, cpu_s=0.5, rss_bytes=1024),)
    assert timeline.read(tmp_path / "none.csv") == ()


# perf

SCRIPT = """python  4711:
\t          1cfe07 _PyObject_Malloc+0x17 (/opt/lib/libpython3.12.so.1.0)
\t          1130a7 _PyEval_EvalFrameDefault+0x20f7 (/opt/lib/libpython3.12.so.1.0)

python  4711:
\t               0 [unknown] ([unknown])
\t            7f12 [unknown] ([unknown])
\t          1130a7 operator new(unsigned long)+0x1 (/opt/lib/libstdc++.so.6)
"""


def test_perf_script_is_folded_outermost_first() -> None:
    assert perf.fold(SCRIPT.splitlines()) == {
        (
            "python 4711",
            "_PyEval_EvalFrameDefault (libpython3.12.so.1.0)",
            "_PyObject_Malloc (libpython3.12.so.1.0)",
        ): 1,
        (
            "python 4711",
            "operator new(unsigned long) (libstdc++.so.6)",
            "[unknown] ([unknown])",
        ): 1,
    }


@pytest.mark.parametrize(
    ("level", "status", "says"),
    [
        (None, CAPABLE, "built without perf events"),
        ("2\n", POOR, ""),
        ("-1\n", POOR, ""),
        ("3\n", POOR, "lacks CAP_PERFMON: sudo sysctl kernel.perf_event_paranoid=2"),
        ("4\n", CAPABLE, ""),
    ],
)
def test_the_right_to_use_perf(tmp_path: Path, level: str | None, status: str, says: str) -> None:
    if level is not None:
        (tmp_path / "paranoid").write_text(level, encoding="ascii")
    (tmp_path / "status").write_text(status, encoding="ascii")

    found = perf.refused(paranoid=tmp_path / "paranoid", status=tmp_path / "status")

    assert (says in found) if says else (found == "")
