"""Markdown as GitHub renders it, before it sanitises, and what is in the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

import comrak

VOID = frozenset({"br", "hr", "img", "input", "meta", "link"})


def render(markdown: str) -> str:
    """Return HTML by GFM with GitHub's extensions on and raw HTML let through."""
    extensions = comrak.ExtensionOptions()
    for name in (
        "table",
        "strikethrough",
        "autolink",
        "tasklist",
        "tagfilter",
        "alerts",
        "footnotes",
        "shortcodes",
        "math_dollars",
        "math_code",
    ):
        setattr(extensions, name, True)
    options = comrak.RenderOptions()
    options.unsafe_ = True
    options.hardbreaks = True
    html: str = comrak.render_markdown(
        markdown, extension_options=extensions, render_options=options
    )
    return html


@dataclass(slots=True, kw_only=True)
class Page:
    """What a browser would find."""

    skeleton: list[str] = field(default_factory=list)
    """Opening and closing tags in order; code spans are left out, they are the place for text."""
    links: list[str] = field(default_factory=list)
    prose: str = ""
    """All text outside code and links: where mentions, references and links arise."""
    comments: list[str] = field(default_factory=list)
    attributes: set[str] = field(default_factory=set)
    code: list[str] = field(default_factory=list)
    """Texts of code spans and blocks."""


def look(html: str) -> Page:
    """Read HTML."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.page


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.page = Page()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.page.attributes |= {name for name, _ in attrs}
        self.page.links += [value or "" for name, value in attrs if name in {"href", "src"}]
        if tag == "code":
            self.page.code.append("")
        else:
            self.page.skeleton.append(f"<{tag}>")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "code":
            self.page.skeleton.append(f"</{tag}>")
        if tag in self.open:
            while self.open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "code" in self.open:
            self.page.code[-1] += data
        elif not {"a", "pre", "style", "script"} & set(self.open):
            self.page.prose += data

    def handle_comment(self, data: str) -> None:
        self.page.comments.append(data)
