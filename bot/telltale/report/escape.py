"""
Turn text from strangers into Markdown that shows it and does nothing else.

Test names, messages and findings come from artifacts that a fork's pull
request may have written. Three forms exist, and all of them are bounded:

- `code`, `cell`: a code span, in which GitHub knows no mention, reference,
  link or HTML;
- `prose`: our own sentences with foreign words in them: plain words and
  numbers stay, everything else becomes a code span. What is allowed is
  listed, not what is forbidden;
- `fence`: a fenced block, longer than any run of backticks inside.

All return `Markup`, and the templates refuse to print anything else (see
`templating`), so a filter that was forgotten is an error and not a hole.

Source: GitHub Flavored Markdown 0.29, sections 4.5, 4.10 and 6.3. GitHub
looks for `@name`, `#1` and the like outside code only.
"""

from __future__ import annotations

import re

from markupsafe import Markup

NOTHING = Markup("–")  # noqa: RUF001
"""What a table shows where there is no value."""

_LONGEST = 50_000
"""Code points of one text that are looked at; the rest is cut before any other work."""

_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, links
    r"|\x1b[@-_]"
)

_OUR_MARKER = re.compile(r"<!--(?=\s*telltale)", re.IGNORECASE)

_PLAIN = re.compile(
    r"(?!\S*\b[0-9a-f]{7,}\b)"  # GitHub links what could be a commit
    r"(?!(?i:www|https?|mailto|xmpp)\b)"
    r"\(?"
    r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[A-Za-z]+(?:['-][A-Za-z]+)*|[+-]?[0-9][0-9,]*(?:\.[0-9]+)?%?)"
    r"[,;:.)…]*"
    r"|[±×·→–—%/][,;:.)]*"  # noqa: RUF001
)

_DIGIT_THEN_END = re.compile(r"(?<=[0-9])([.)])(?![0-9])")

_URL = re.compile(r"https?://[A-Za-z0-9._~:/?#@!$&'*+,;=%-]+")


def clean(text: str) -> str:
    """
    Return the text without terminal colours and with everything invisible made visible.

    Control characters, direction overrides, zero-width characters and lone
    surrogates become what Python's `repr` writes for them. Newlines and tabs
    stay. Our own hidden markers are broken, so that a text cannot pass for one.
    """
    text = _ANSI.sub("", text[:_LONGEST]).replace("\r\n", "\n").replace("\r", "\n")
    if not text.replace("\n", "").replace("\t", "").isprintable():
        text = "".join(
            char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in text
        )
    return _OUR_MARKER.sub("<!- -", text)


def clip(text: str, limit: int) -> str:
    """Return at most `limit` code points; a cut is shown by an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def one_line(text: str, limit: int) -> str:
    """Return the clean text on one line of at most `limit` code points."""
    return clip(" ".join(clean(text[: limit * 8]).split()), limit)


def code(text: str, limit: int = 160) -> Markup:
    """Return a code span on one line, for anywhere but a table."""
    return _span(one_line(text, limit))


def cell(text: str, limit: int = 160) -> Markup:
    r"""
    Return a code span for a cell of a table, where a pipe ends the cell even inside code.

    `\|` is the way out that GFM names (section 4.10); after a backslash of the
    text's own its readers differ, so there the span itself is parted.
    """
    line = one_line(text, limit)
    parts = re.split(r"(?<=\\)\|", line)
    spans = [_span(part).replace("|", Markup(r"\|")) if part else "" for part in parts]
    return Markup("&#124;").join(spans) if line else NOTHING


def prose(text: str, limit: int = 400) -> Markup:
    """Return a sentence on one line: plain words as they are, everything else as code."""
    return _sentence(one_line(text, limit), table=False)


def prose_cell(text: str, limit: int = 400) -> Markup:
    """Return a sentence for a cell of a table."""
    return _sentence(one_line(text, limit), table=True)


def fence(text: str, language: str = "text") -> Markup:
    """Return a fenced block; the text is cleaned, bounding it is `excerpt`'s work."""
    body = clean(text).strip("\n")
    ticks = "`" * max(3, 1 + _longest_run(body))
    return Markup(f"{ticks}{language}\n{body}\n{ticks}")  # noqa: S704


def link(label: str, url: str, server: str) -> Markup:
    """Return a link when it leads to the GitHub we work for; otherwise the label alone."""
    text = label if isinstance(label, Markup) else prose(label)
    if not is_ours(url, server):
        return text
    return Markup(f"[{text}]({url})")  # noqa: S704


def is_ours(url: str, server: str) -> bool:
    """Whether a URL is well formed and leads to the given server."""
    inside = bool(server) and url.startswith(server.rstrip("/") + "/")
    return inside and len(url) <= 500 and _URL.fullmatch(url) is not None


def excerpt(text: str, *, lines: int, width: int = 200) -> str:
    """
    Return the lines of a failure text that say most, at most `lines` of `width` code points.

    They start shortly before the first line that pytest marks with `>` or
    `E`, at the top when there is none; what was left out is counted.
    """
    every = clean(text).strip("\n").expandtabs(4).split("\n")
    marked = next((at for at, line in enumerate(every) if re.match(r"[>E] ", line)), 0)
    start = 0 if len(every) <= lines else min(max(marked - 2, 0), len(every) - lines)
    shown = [clip(line, width) for line in every[start : start + lines]]
    before = [f"… {_lines(start)} above"] if start else []
    after = len(every) - start - len(shown)
    return "\n".join([*before, *shown, *([f"… {_lines(after)} below"] if after else [])])


def _lines(count: int) -> str:
    return f"{count:,} line" if count == 1 else f"{count:,} lines"


def _sentence(line: str, *, table: bool) -> Markup:
    foreign = cell if table else code
    words: list[Markup] = []
    waiting: list[str] = []
    for word in [*line.split(), ""]:
        if word and not _PLAIN.fullmatch(word):
            # Neighbours share one span; punctuation at its end stays outside.
            waiting.append(word)
            if word[-1] not in ",;:":
                continue
        if waiting:
            text = " ".join(waiting)
            inside = text.rstrip(",;:.") or text
            words.append(foreign(inside, len(text)) + Markup(text[len(inside) :]))  # noqa: S704
            waiting = []
        if word and _PLAIN.fullmatch(word):
            # "1. " or "1) " would begin a list.
            words.append(Markup(_DIGIT_THEN_END.sub(r"\\\1", word)))  # noqa: S704
    # Nothing at all would leave "- " alone on its line, which underlines a heading.
    return Markup(" ").join(words) or NOTHING


def _span(line: str) -> Markup:
    if not line:
        return NOTHING
    ticks = "`" * (1 + _longest_run(line)) if "`" in line else "`"
    pad = " " if line[0] == "`" or line[-1] == "`" else ""
    return Markup(f"{ticks}{pad}{line}{pad}{ticks}")  # noqa: S704


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
