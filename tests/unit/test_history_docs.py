"""What docs/history.md and docs/comparison.md say about the formats is what the code writes."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from pathlib import Path

from telltale.compare.confirming import confirm
from telltale.compare.judge import METRICS, Limits
from telltale.history import codec
from telltale.model import Isolation, IsolationVerdict, Leak
from telltale.records import Load, TestNumber
from tests.unit.history_records import main_run

DOCS = Path(__file__).parents[2] / "docs"
HISTORY = (DOCS / "history.md").read_text(encoding="utf-8")
COMPARISON = (DOCS / "comparison.md").read_text(encoding="utf-8")
SCHEMA = json.loads((DOCS / "comparison.schema.json").read_text(encoding="utf-8"))


def table(text: str, head: str) -> dict[str, str]:
    """Return the rows of the table that begins with `head`: the first cell's names, the rest."""
    lines = text[text.index(head) :].split("\n\n", maxsplit=1)[0].splitlines()[2:]
    rows = [line.strip("| ").split(" | ", maxsplit=1) for line in lines]
    return {name: rest for names, rest in rows for name in re.findall(r"`(\w+)`", names)}


def test_every_key_of_a_record_is_described() -> None:
    whole = replace(
        main_run(1),
        profiled=("a profiler",),
        invalid=("a guard",),
        disagreements=("a contradiction",),
        confirmations=(confirm("cpu_s", "a.py::b", "s", (), ()),),
        tests=(replace(main_run(1).tests[0], cpu_s=0.1, rss_peak_change_bytes=4096),),
        numbers=(TestNumber(nodeid="a", name="b", value=1.5),),
        load=Load(load_average=0.5, cpus=2),
        leaks=(Leak(nodeid="a", what="b", before="", after="c"),),
        isolation=(
            Isolation(nodeid="a", signature="", verdict=IsolationVerdict.FLAKY, sentence="b"),
        ),
    )
    document = json.loads(gzip.decompress(codec.encode(whole)))
    described = table(HISTORY, "| key | what |")

    assert set(described) == set(document)
    for key in ("series", "origin", "host", "command", "tests", "numbers", "load"):
        inside = set(re.findall(r"`(\w+)`", described[key]))
        assert set(document[key]) <= inside, key


def test_every_key_of_a_judgement_is_described() -> None:
    described = table(COMPARISON, "| key | what |")

    assert set(described) == set(SCHEMA["$defs"]["judgement"]["properties"])


def test_every_metric_is_described_with_its_weight() -> None:
    described = table(COMPARISON, "| metric | what | decides |")

    assert list(described) == [metric.name for metric in METRICS]
    for metric in METRICS:
        assert described[metric.name].endswith("advisory" if metric.advisory else "yes")


def test_the_limits_are_those_of_the_code() -> None:
    limits = Limits()

    assert f"more than {100 * limits.min_change:.0f} % of the median" in COMPARISON
    assert f"more than {limits.noise_factor:.0f} times the interquartile range" in COMPARISON
    assert f"fewer than {limits.min_runs} comparable runs" in COMPARISON
    assert (
        f"by {100 * limits.margin:.0f} %, or by {100 * limits.margin_of_few:.0f} % divided by"
        in COMPARISON
    )
    for metric in METRICS[:2]:
        floor = f"{metric.floor} s" if metric.unit == "s" else f"{metric.floor / 1024**2:.0f} MiB"
        assert floor in COMPARISON
