"""Texts from strangers are shown and do nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from jinja2 import UndefinedError

from telltale.report import IssueData, ReportData, comment, issue_body, issue_title, page, summary
from telltale.report.escape import cell, clean, code, excerpt, fence, link, one_line, prose
from telltale.report.templating import markdown_environment
from tests.unit import gfm
from tests.unit.report_cases import HOSTILE, SERVER, failure, flake, written_by_a_stranger

TOKENS = (
    *HOSTILE,
    "`",
    "``",
    "```",
    "~~~",
    "|",
    "\\",
    "\\|",
    "\n",
    "\r",
    "\t",
    "    ",
    "\n\n",
    "<",
    ">",
    "</details>",
    "<details>",
    "</code></pre>",
    "<!--",
    "-->",
    "<!-- telltale:end -->",
    "&#64;",
    "@octocat",
    "@org/team",
    "#1",
    "GH-1",
    "octo/widgets@3f9c2d1",
    "deadbeef",
    "1234567",
    "http://",
    "www.",
    "a@b.example",
    "[x](y)",
    "![",
    "](",
    "[^1]",
    "[^1]: x",
    "[x]: https://evil.example",
    "1.",
    "2)",
    "- ",
    "+ ",
    "* ",
    "# ",
    "> ",
    "> [!NOTE]",
    "---",
    "===",
    "$$",
    "$",
    ":tada:",
    "**",
    "_",
    "~~",
    "\x00",
    "\x1b[1m",
    "\x85",
    "\u2028",
    "\u202e",
    "\ufeff",
    "\ud800",
    "é",
    "plain words",
    "12.5",
)

hostile_text = (
    st.lists(st.one_of(st.sampled_from(TOKENS), st.text(max_size=6)), min_size=1, max_size=8)
    .map("".join)
    .filter(bool)
)

ACTIVE = re.compile(
    r"@[A-Za-z0-9]"  # a mention
    r"|#[0-9]"  # an issue
    r"|\bGH-[0-9]"
    r"|\bhttps?:|\bwww\.|\bmailto:"
    r"|\b[0-9a-f]{7,40}\b"  # a commit
    r"|:[a-z0-9_+-]+:"  # an emoji
    r"|\$"  # mathematics
)


def assert_tame(page: gfm.Page, plain: gfm.Page) -> None:
    """Nothing is there that would not be there if the stranger had written one plain word."""
    assert page.skeleton == plain.skeleton
    assert not ACTIVE.search(page.prose)
    assert [link for link in page.links if not link.startswith(f"{SERVER}/octo/")] == []
    assert page.comments == plain.comments
    assert page.attributes <= plain.attributes


@example("123456712.5")
@example("12.51234567")
@given(hostile_text)
@settings(max_examples=80, deadline=None)
def test_comment_stays_tame(text: str) -> None:
    assert_tame(rendered(comment, text), rendered(comment, "word"))


@given(hostile_text)
@settings(max_examples=20, deadline=None)
def test_summary_stays_tame(text: str) -> None:
    assert_tame(rendered(summary, text), rendered(summary, "word"))


def rendered(make: Callable[[ReportData], str], text: str) -> gfm.Page:
    return gfm.look(gfm.render(make(written_by_a_stranger(text))))


def issue_by_a_stranger(text: str) -> IssueData:
    found = flake(failure(text, message=text, text=text))
    where = tuple(
        replace(one, branch=text, sha=text, url=text, started_at=text, fingerprint=text)
        for one in found.failed
    )
    return IssueData(
        flake=replace(found, failed=where),
        repository=text,
        server_url=SERVER,
        scaffold_command=text,
        scaffold_where=text,
        scaffold_url=text,
        log_excerpt=text,
    )


@given(hostile_text)
@settings(max_examples=60, deadline=None)
def test_issue_stays_tame(text: str) -> None:
    assume(clean(text).strip("\n"))  # without a text there is no block, which is our own doing
    assert_tame(
        gfm.look(gfm.render(issue_body(issue_by_a_stranger(text)))),
        gfm.look(gfm.render(issue_body(issue_by_a_stranger("word")))),
    )
    title = issue_title(issue_by_a_stranger(text).flake)
    assert title.isprintable()
    assert len(title) <= 200


@given(hostile_text)
@settings(max_examples=20, deadline=None)
def test_page_stays_tame(text: str) -> None:
    found = gfm.look(page(written_by_a_stranger(text)))
    plain = gfm.look(page(written_by_a_stranger("word")))

    assert found.skeleton == plain.skeleton
    assert found.attributes == plain.attributes
    assert all(link.startswith(f"{SERVER}/octo/") for link in found.links)


@given(hostile_text)
@settings(max_examples=20, deadline=None)
def test_texts_can_be_written_as_utf8(text: str) -> None:
    data = written_by_a_stranger(text)

    for made in (comment(data), page(data)):
        made.encode()


@given(hostile_text)
def test_code_shows_the_text_as_it_is(text: str) -> None:
    shown = gfm.look(gfm.render(f"x {code(text)} y"))

    assert "".join(shown.code) in {one_line(text, 160), ""}
    assert shown.skeleton == ["<p>", "</p>"]


@given(hostile_text)
def test_cell_shows_the_text_as_it_is(text: str) -> None:
    table = gfm.render(f"| a | b |\n|---|---|\n| {cell(text)} | {cell(text)} |\n")

    cells = re.findall(r"<td>(.*?)</td>", table, re.DOTALL)
    assert len(cells) == 2
    for each in cells:
        found = gfm.look(each)
        assert found.skeleton == []
        inside = re.sub("<[^>]*>", "", each)
        assert gfm.look(inside).prose.replace("–", "") == one_line(text, 160).replace("–", "")  # noqa: RUF001


@given(hostile_text)
def test_fence_shows_the_text_as_it_is(text: str) -> None:
    shown = gfm.look(gfm.render(f"before\n\n{fence(text)}\n\nafter"))

    assert shown.code == [clean(text).strip("\n") + "\n"] or not clean(text).strip("\n")
    assert shown.skeleton == ["<p>", "</p>", "<pre>", "</pre>", "<p>", "</p>"]


@given(st.text())
def test_nothing_invisible_is_left(text: str) -> None:
    assert clean(text).replace("\n", "").replace("\t", "").isprintable()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("\x1b[31mred\x1b[0m", "red", id="colours"),
        pytest.param("\x1b]8;;https://a.example\x07text\x1b]8;;\x07", "text", id="terminal-links"),
        pytest.param("a\x00b", r"a\x00b", id="nul"),
        pytest.param("user\u202egnp.exe", r"user\u202egnp.exe", id="direction-override"),
        pytest.param("a\u200bb", r"a\u200bb", id="zero-width"),
        pytest.param("a\udc80b", r"a\udc80b", id="lone-surrogate"),
        pytest.param("a\r\nb\rc", "a\nb\nc", id="line-ends"),
        pytest.param("tab\there", "tab\there", id="tabs-stay"),
        pytest.param("naïve – ✓ 日本", "naïve – ✓ 日本", id="other-scripts-stay"),  # noqa: RUF001
        pytest.param("<!-- telltale:end -->", "<!- - telltale:end -->", id="our-marker"),
        pytest.param("<!--\nTELLTALE:x", "<!- -\nTELLTALE:x", id="our-marker-over-lines"),
        pytest.param("<!-- other -->", "<!-- other -->", id="another-comment"),
    ],
)
def test_clean(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2 runs, 5 needed", "2 runs, 5 needed", id="plain"),
        pytest.param("seen by @octocat", "seen by `@octocat`", id="mention"),
        pytest.param("fixes #1.", "fixes `#1`.", id="reference"),
        pytest.param("of 4be1d20, 2026-11-19", "of `4be1d20`, 2026-11-19", id="commit"),
        pytest.param("the word defaced", "the word `defaced`", id="could-be-a-commit"),
        pytest.param("at most 12.", r"at most 12\.", id="no-list"),
        pytest.param("1. First", r"1\. First", id="no-list-at-the-start"),
        pytest.param("41.8 s (92%)", r"41.8 s (92%)", id="figures"),
        pytest.param("a_b c_d e", "`a_b c_d` e", id="neighbours-share-a-span"),
        pytest.param("order-dependent, isn't it", "order-dependent, isn't it", id="hyphens"),
        pytest.param("+39% of the median", "+39% of the median", id="signed"),
        pytest.param("- - -", "`- - -`", id="rule"),
        pytest.param("from www. or HTTP: on", "from `www`. or `HTTP`: on", id="half-a-link"),
        pytest.param("a | b", "a `|` b", id="pipe"),
    ],
)
def test_prose(text: str, expected: str) -> None:
    assert prose(text) == expected


def test_a_huge_text_costs_little_and_shows_little() -> None:
    huge = "`|<@\x1b[" * 200_000

    assert len(code(huge)) < 700
    assert len(prose(huge)) < 1_700
    assert len(fence(excerpt(huge, lines=10))) < 700


@pytest.mark.parametrize(
    ("url", "linked"),
    [
        ("https://github.com/octo/widgets/actions/runs/1", True),
        ("https://github.com.evil.example/octo", False),
        ("https://github.com@evil.example/octo", False),
        ("http://github.com/octo", False),
        ("javascript:alert(1)", False),
        ("https://github.com/a) [b](https://evil.example", False),
        ("https://github.com/a\nb", False),
        ("https://github.com/" + "a" * 600, False),
        ("", False),
    ],
)
def test_links_lead_to_our_server_only(url: str, linked: bool) -> None:
    assert ("](" in link("run", url, SERVER)) is linked


def test_without_a_server_nothing_is_linked() -> None:
    assert link("run", "https://github.com/octo", "") == "run"


def test_a_forgotten_filter_is_an_error() -> None:
    environment = markdown_environment()

    with pytest.raises(TypeError, match="without a filter"):
        environment.from_string("{{ text }}").render(text="@octocat")
    with pytest.raises(UndefinedError):
        environment.from_string("{{ txet }}").render(text="@octocat")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        pytest.param(9, "… 1 line above\nb\nc\n> d\nE e\nf", id="from-before-the-mark"),
        pytest.param(3, "… 1 line above\nb\nc\n> d\n… 2 lines below", id="cut-at-both-ends"),
    ],
)
def test_excerpt(lines: int, expected: str) -> None:
    text = "a\nb\nc\n> d\nE e\nf"
    if lines == 9:
        assert excerpt(text, lines=lines) == text
        lines = 5
    assert excerpt(text, lines=lines) == expected


def test_excerpt_without_marks_begins_at_the_top() -> None:
    assert excerpt("a\nb\nc", lines=2) == "a\nb\n… 1 line below"
