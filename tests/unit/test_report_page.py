"""The page opens anywhere, calls nowhere and says everything; report.json says it to programs."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest

from telltale.report import page, to_json
from tests.unit.report_cases import (
    CASES,
    STEADY,
    compared,
    everything,
    figure,
    job,
    record,
    report,
)

REPORT_DOC = Path(__file__).parents[2] / "docs" / "report.md"


@functools.cache
def page_of(name: str) -> str:
    return page(CASES[name]())


@pytest.mark.parametrize("name", sorted(set(CASES) - {"too_long"}))
def test_page_refers_to_nothing_outside(name: str) -> None:
    text = page_of(name)

    for element in (
        "<link",
        "<img",
        "<iframe",
        "<object",
        "<embed",
        "<base",
        "<form",
        "@import",
        "url(",
    ):
        assert element not in re.sub(r"<pre>.*?</pre>|<code>.*?</code>", "", text, flags=re.DOTALL)
    assert text.count("<script") == 1
    assert not re.findall(r"<script [^>]*src", text)


@pytest.mark.parametrize("element", ["style", "script"])
def test_policy_names_what_the_page_holds(element: str) -> None:
    found = re.search(rf"<{element}>(.*?)</{element}>", page_of("everything"), re.DOTALL)
    assert found
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()

    assert f"{element}-src &#39;sha256-{digest}&#39;" in page_of("everything")
    assert "default-src &#39;none&#39;" in page_of("everything")


def test_a_stranger_writes_no_element() -> None:
    text = page_of("hostile")

    assert "<script>alert" not in text
    assert "<img src" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert 'href="javascript' not in text


def test_json_has_the_keys_that_the_docs_name() -> None:
    document = to_json(everything())
    table = REPORT_DOC.read_text().split("## report.json")[1]
    documented = {
        key
        for line in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)
        for key in re.findall(r"`(\w+)`", line)
    }

    assert set(document) == documented
    for key in ("verdict", "run", "counts"):
        (row,) = re.findall(rf"^\| `{key}` \| (.*)", table, re.MULTILINE)
        assert set(document[key]) <= set(re.findall(r"`(\w+)`", row))
    for key in ("failures", "jobs"):
        (row,) = re.findall(rf"^\| `{key}` \| (.*)", table, re.MULTILINE)
        assert set(document[key][0]) <= set(re.findall(r"`(\w+)`", row))


def test_json_of_every_case_is_json() -> None:
    for build in CASES.values():
        json.dumps(to_json(build()), allow_nan=False)


def test_json_knows_no_nan() -> None:
    odd = replace(figure(now=math.nan), change=math.inf)
    document = to_json(report(job(compared(record(), judgements=(*STEADY, odd)))))

    assert document["jobs"][0]["judgements"][2]["now"] is None
    assert document["jobs"][0]["judgements"][2]["change"] is None
