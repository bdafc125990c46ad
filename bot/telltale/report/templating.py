"""
Jinja2 as the texts need it: nothing undefined, and in Markdown nothing unescaped.

The Markdown environment refuses to print a value that did not come out of a
filter of `escape` or `figures`: a plain `str` in `{{ }}` raises TypeError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Undefined
from markupsafe import Markup

from telltale.model import FailureKind, Outcome
from telltale.report import escape, figures, view, words


def markdown_environment() -> Environment:
    """Return the environment of the `*.md.j2` templates."""
    environment = _environment(finalize=_only_escaped)
    environment.filters.update(_TEXTS)
    environment.filters.update({name: _marked(function) for name, function in _FIGURES.items()})
    environment.filters.update(
        {
            "code": escape.code,
            "cell": escape.cell,
            "prose": escape.prose,
            "prose_cell": escape.prose_cell,
            "fence": escape.fence,
            "link": escape.link,
        }
    )
    environment.globals["nothing"] = escape.NOTHING
    return environment


def html_environment() -> Environment:
    """Return the environment of the `*.html.j2` templates: everything printed is HTML-escaped."""
    environment = _environment(finalize=_clean_text)
    environment.filters.update(_TEXTS | _FIGURES)
    environment.tests["ours"] = escape.is_ours
    return environment


_TEXTS: dict[str, Callable[..., Any]] = {
    "excerpt": escape.excerpt,
    "metric": words.metric,
    "metrics": words.metrics,
    "commits": words.commits,
    "counts": words.counts,
    "how_it_ended": words.how_it_ended,
    "how_far": words.how_far,
    "run_label": words.run_label,
    "cpu": view.cpu_s,
}
"""Filters whose results may hold foreign text, and are to be escaped like it."""

_FIGURES: dict[str, Callable[..., str]] = {
    "seconds": figures.seconds,
    "limit": figures.limit,
    "size": figures.size,
    "percent": figures.percent,
    "change": figures.change,
    "quantity": figures.quantity,
    "count": figures.count,
    "resources_line": words.resources_line,
    "mark": lambda line: line.mark,
    "issue_label": lambda issue: f"#{int(issue.number)}",
    "number": lambda value: f"{value:,}",
    "plain_number": lambda value: str(int(value)),
    "kind": lambda kind: words.KINDS[FailureKind(kind)],
    "rate": figures.rate,
    "day": figures.day,
    "minute": figures.minute,
    "outcome": lambda outcome: Outcome(outcome).value.replace("_", " "),
}
"""Filters whose results are our own words and digits, whatever they are given."""


def _environment(finalize: Callable[[Any], Any]) -> Environment:
    return Environment(
        loader=PackageLoader("telltale.report"),
        undefined=StrictUndefined,
        autoescape=True,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _only_escaped(value: object) -> object:
    # An undefined value explains itself when Jinja2 prints it.
    if isinstance(value, Markup | Undefined):
        return value
    raise TypeError(f"printed in Markdown without a filter: {type(value).__name__} {value!r:.80}")


def _clean_text(value: object) -> object:
    return (
        escape.clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
    )


def _marked(function: Callable[..., str]) -> Callable[..., Markup]:
    return lambda *args, **keywords: Markup(function(*args, **keywords))  # noqa: S704
