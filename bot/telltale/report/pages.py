"""
The HTML page: the whole report in one file that opens anywhere and calls nowhere.

Its policy forbids every source but its own style and script, named by
their hashes, so even a hole in the escaping could load and run nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from dataclasses import dataclass

from jinja2 import Environment
from markupsafe import Markup

from telltale.report import templating, words
from telltale.report.arrange import make_view
from telltale.report.data import ReportData


@dataclass(frozen=True, slots=True, kw_only=True)
class Most:
    """Rows beyond which a browser gets slow and nobody reads; report.json has the rest."""

    causes: int = 500
    """For each verdict."""
    figures: int = 2_000
    tests: int = 20_000
    names: int = 500


def page(data: ReportData) -> str:
    """Return a self-contained HTML document with every part in full."""
    view = make_view(data)
    style, script = _asset("page.css"), _asset("page.js")
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            v=view,
            line=words.verdict_line(view),
            style=style,
            script=script,
            policy=(
                "default-src 'none'; base-uri 'none'; form-action 'none';"
                f" style-src '{_hash(style)}'; script-src '{_hash(script)}'"
            ),
            most=Most(),
        )
    )


@functools.cache
def _environment() -> Environment:
    return templating.html_environment()


@functools.cache
def _asset(name: str) -> Markup:
    # Ours, not a stranger's: it goes into <style> and <script> as it is.
    return Markup(_environment().get_template(name).render())  # noqa: S704


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
