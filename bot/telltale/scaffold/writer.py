"""Write a scaffold: the folder of design that reproduces one failure."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from telltale.capture.invocation import PytestCommand, find_pytest
from telltale.capture.redact import Redactor
from telltale.errors import ScaffoldError
from telltale.flaky import naming
from telltale.model import Failure
from telltale.scaffold import classify, variables
from telltale.scaffold.request import Request, redacted
from telltale.scaffold.variables import Missing, Variable

SCHEMA = "telltale.reproduce/1"
BUDGET_S = 300
STRESS = "telltale_stress"
"""The package that travels with every scaffold."""
TEXT_LIMIT = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """All that the files of a scaffold are made from."""

    name: str
    request: Request
    template: str
    pytest: PytestCommand | None
    amplifiers: tuple[str, ...]
    variables: tuple[Variable, ...]
    missing: tuple[Missing, ...]

    @property
    def module(self) -> str:
        """Name of the stress test, without its ending."""
        return f"test_{self.name.replace('-', '_')}_stress"


def write(request: Request, out: Path) -> Path:
    """
    Write `out/<failure-name>/` and return it.

    A scaffold of the same failure that is there already is written anew; its
    logs and results stay. Raises `ScaffoldError` when the folder belongs to
    something else or cannot be written.
    """
    content = _content(request)
    folder = out / content.name
    results = _earlier_results(folder, request.failure.signature)
    files = _files(content, results)
    try:
        for path, text in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
        (folder / "run_test.sh").chmod(0o755)
    except OSError as error:
        raise ScaffoldError(
            f"the scaffold cannot be written to {folder}: {error.strerror or error};"
            " name another folder with --out DIR"
        ) from error
    return folder


def failure_name(request: Request) -> str:
    """Return the name of the folder: what failed, and six digits of the signature."""
    failure = request.failure
    what = re.split(r"::|/", failure.nodeid.partition("[")[0])[-1] or failure.kind.value
    words = re.sub(r"[^a-z0-9]+", "-", what.lower()).strip("-").removeprefix("test-")
    return f"{words[:50].strip('-') or 'failure'}-{failure.signature.rpartition(':')[2][:6]}"


def _content(request: Request) -> _Content:
    failure = request.failure
    if not request.command.argv:
        raise ScaffoldError("the run does not say which command failed: there is nothing to repeat")
    argv = Redactor({}).argv(request.command.argv)
    request = replace(request, command=replace(request.command, argv=argv))
    pytest = _pytest(request)
    overrides = {**request.command.env, **(pytest.env if pytest else {})}
    chosen, missing = variables.choose(overrides, request.environ)
    return _Content(
        name=failure_name(request),
        request=request,
        template=redacted(_template(failure)),
        pytest=pytest,
        amplifiers=classify.amplifiers(
            failure.kind, whole_command=pytest is None, before=len(request.before)
        ),
        variables=chosen,
        missing=(*missing, *_differences(request, pytest)),
    )


def _template(failure: Failure) -> str:
    """Return what the signature is a hash of; of a whole command, what was said of it counts too."""
    texts = (failure.text or failure.message, f"{failure.message}\n{failure.text}")
    names = [naming.name(test=failure.nodeid, text=text) for text in texts]
    fitting = (name.template for name in names if name.signature == failure.signature)
    return next(fitting, names[0].template)


def _pytest(request: Request) -> PytestCommand | None:
    """Return how to run the test; None when only the whole command can be repeated."""
    nodeid = request.failure.nodeid
    if not nodeid or ("::" not in nodeid and not nodeid.endswith(".py")):
        return None
    nodeids = [nodeid, *(name for name, _ in request.before[-200:])]
    found = find_pytest(request.command.argv, nodeids)
    addopts = request.command.env.get("PYTEST_ADDOPTS", request.environ.get("PYTEST_ADDOPTS", ""))
    more = find_pytest(["pytest", *_words(addopts)], nodeids) if addopts else None
    if found is None:
        # Started by tox, make or the like: the test itself is pytest's all the same.
        found = PytestCommand(steps=(shlex.join(request.command.argv),))
    if more is not None:
        found = replace(found, options=(*more.options, *found.options))
    return found


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return []


def _differences(request: Request, pytest: PytestCommand | None) -> list[Missing]:
    found: list[Missing] = []
    if pytest is not None:
        found += [
            Missing(what=step, done="part of the original command: not repeated")
            for step in pytest.steps
        ]
        found += [
            Missing(what=option, done="an option of pytest that the scaffold takes over")
            for option in pytest.dropped
        ]
    if request.source.dirty:
        found.append(Missing(what="changed files", done="only the commit is known: not replicated"))
    return found


def _files(content: _Content, results: Sequence[Any]) -> dict[str, str]:
    files = {
        "reproduce.json": _reproduce_json(content, results),
        "README.md": _render("README.md.j2", **_readme(content)),
        "run_test.sh": _render(
            "run_test.sh.j2",
            name=content.name,
            module=content.module,
            variables=[
                {"name": one.name, "quoted": shell_word(one.value)} for one in content.variables
            ],
        ),
        f"tests/{content.module}.py": _render(
            "test_stress.py.j2",
            name=content.name,
            module=content.module,
            function=content.module,
        ),
        "logs/original.txt": _original(content.request),
        # Projects ignore *.log: the evidence must survive that.
        "logs/.gitignore": "!*.log\n",
    }
    stress = resources.files("telltale.scaffold") / "stress"
    for source in stress.iterdir():
        if source.name.endswith(".py"):
            files[f"tests/{STRESS}/{source.name}"] = source.read_text(encoding="utf-8")
    pytest_side = resources.files("telltale.capture.isolate") / "pytest_side"
    for name in ("child.py", "items.py"):
        files[f"tests/{STRESS}/{name}"] = (pytest_side / name).read_text(encoding="utf-8")
    naming_source = resources.files("telltale.flaky") / "naming.py"
    files[f"tests/{STRESS}/naming.py"] = naming_source.read_text(encoding="utf-8")
    return files


def _reproduce_json(content: _Content, results: Sequence[Any]) -> str:
    request, failure, pytest = content.request, content.request.failure, content.pytest
    cwd = request.command.cwd
    document = {
        "schema": SCHEMA,
        "name": content.name,
        "signature": failure.signature,
        "kind": failure.kind.value,
        "template": content.template,
        "message": redacted(failure.message),
        "nodeid": failure.nodeid,
        "amplifiers": list(content.amplifiers),
        "budget_s": BUDGET_S,
        "argv": list(request.command.argv),
        "cwd": os.path.normpath(os.path.join(cwd, pytest.cwd)) if pytest else cwd,  # noqa: PTH118
        "env": {one.name: one.value for one in content.variables},
        "timeout_s": request.command.timeout_s,
        "exit_code": request.exit_code,
        "duration_s": request.duration_s,
        "pytest": {
            "python_options": list(pytest.python_options),
            "options": list(pytest.options),
            "folders": list(pytest.folders),
            "cwd_on_path": pytest.cwd_on_path,
            "timeout_s": pytest.timeout_s,
        }
        if pytest
        else None,
        "before": [list(one) for one in request.before] if pytest else [],
        "source": {
            "repository": request.source.repository,
            "sha": request.source.sha,
            "ref": request.source.ref,
        },
        "results": list(results),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _readme(content: _Content) -> dict[str, Any]:
    request = content.request
    where = (request.source.repository, request.source.sha)
    return {
        "name": content.name,
        "request": request,
        "failure": replace(request.failure, message=redacted(request.failure.message)),
        "code": " at ".join(filter(None, where)),
        "template": content.template,
        "hypothesis": classify.hypothesis(request.failure.kind, before=len(request.before)),
        "pytest": content.pytest is not None,
        "amplifiers": [(name, classify.AMPLIFIERS[name]) for name in content.amplifiers],
        "budget": BUDGET_S,
        "run": f"path/to/{content.name}/run_test.sh",
        "variables": content.variables,
        "command": redacted(shlex.join(request.command.argv)),
        "host": ", ".join(f"{name} {value}" for name, value in request.host.parts.items()),
        "missing": content.missing,
        "packages": "\n".join(request.packages),
    }


def _original(request: Request) -> str:
    failure = request.failure
    head = [
        f"test:      {failure.nodeid or '(the command as a whole)'}",
        f"job:       {request.job}",
        f"date:      {request.date}",
        f"kind:      {failure.kind.value}",
        f"signature: {failure.signature}",
    ]
    parts = ["\n".join(head), redacted((failure.text or failure.message)[:TEXT_LIMIT])]
    if request.log:
        parts.append(f"--- the end of the run's log ---\n\n{redacted(request.log)}")
    return "\n\n".join(parts) + "\n"


def _earlier_results(folder: Path, signature: str) -> list[Any]:
    path = folder / "reproduce.json"
    if not folder.exists():
        return []
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["signature"] == signature:
            return list(document["results"])
    except (OSError, ValueError, LookupError, TypeError):
        pass
    raise ScaffoldError(f"{folder} is there already and about something else: remove it first")


# --- rendering ---------------------------------------------------------------------------------


def _render(template: str, /, **values: Any) -> str:
    environment = Environment(
        loader=PackageLoader("telltale.scaffold"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        # Markdown, shell and Python: each value is quoted for what it stands in, not for HTML.
        autoescape=False,  # noqa: S701
    )
    environment.filters.update(code=_code, fence=_fence, line=_line, cell=_cell)
    return environment.get_template(template).render(values)


def shell_word(value: str) -> str:
    """
    Return the value as one word of bash: printable ASCII on one line, whatever it holds.

    `~` at its beginning stands for the home folder: so it was recorded.
    """
    if value == "~" or value.startswith("~/"):
        return '"$HOME"' + (shell_word(value[1:]) if value[1:] else "")
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", value):
        return value
    return "$'" + "".join(_escaped(byte) for byte in value.encode("utf-8", "surrogateescape")) + "'"


def _escaped(byte: int) -> str:
    char = chr(byte)
    if char in "\\'":
        return "\\" + char
    if char == "\n":
        return "\\n"
    # Three octal digits end by themselves, whatever character follows.
    return char if " " <= char <= "~" else f"\\{byte:03o}"


def _line(text: str) -> str:
    plain = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(plain.split())[:300]


def _code(text: str) -> str:
    plain = _line(text)
    ticks = "`" * (1 + max((len(run) for run in re.findall(r"`+", plain)), default=0))
    space = " " if plain.startswith("`") or plain.endswith("`") or not plain else ""
    return f"{ticks}{space}{plain}{space}{ticks}"


def _cell(text: str) -> str:
    return _code(text).replace("|", "\\|")


def _fence(text: str, language: str = "") -> str:
    plain = "\n".join(
        "".join(char if char.isprintable() or char == "\t" else " " for char in line)
        for line in text.splitlines()
    )
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", plain)), default=0))
    return f"{ticks}{language}\n{plain}\n{ticks}"
