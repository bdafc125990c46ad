"""Every action.yml stays a thin, safe shell around the verbs of the same names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from telltale.cli import PROFILE_TESTS, VERBS
from telltale.options import Option

ROOT = Path(__file__).parents[2]
ACTIONS = (ROOT / "action.yml", *sorted((ROOT / "actions").glob("*/action.yml")))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
EXAMPLES = sorted((ROOT / "examples/workflows").rglob("*.yml"))
PINNED = re.compile(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$")
OURS = re.compile(r"uses: octo/telltale/(actions/[\w-]+|\.github/workflows/[\w-]+\.yml)@v1$")
CALLED = {"tests": "profile-tests", "report": "report"}
TOKEN = "${{ github.token }}"  # noqa: S105


def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def options_of(path: Path) -> dict[str, Option]:
    """Return what the action's verbs take; the root action runs two verbs."""
    if path.parent != ROOT:
        found = VERBS[path.parent.name].options
    else:
        found = (*PROFILE_TESTS, *VERBS["compare"].options)
    return {option.name: option for option in found if option.input}


def default_of(option: Option) -> str:
    return {"token": TOKEN, "matrix": "${{ toJSON(matrix) }}"}.get(option.name, option.default)


def our_steps(path: Path) -> list[dict[str, Any]]:
    return [step for step in load(path)["runs"]["steps"] if "run" in step]


@pytest.mark.parametrize("path", ACTIONS, ids=name)
class TestAction:
    def test_inputs_are_the_options(self, path: Path) -> None:
        inputs = {key: spec["description"] for key, spec in load(path)["inputs"].items()}
        assert inputs == {key: option.help for key, option in options_of(path).items()}

    def test_defaults_are_the_options_defaults(self, path: Path) -> None:
        inputs = {key: spec["default"] for key, spec in load(path)["inputs"].items()}
        assert inputs == {key: default_of(option) for key, option in options_of(path).items()}

    def test_every_input_travels_by_environment(self, path: Path) -> None:
        env = {key: value for step in our_steps(path) for key, value in step["env"].items()}
        env.pop("TELLTALE_BUNDLE", None)  # what the first step made, for the second
        expected = {o.env: f"${{{{ inputs.{o.name} }}}}" for o in options_of(path).values()}
        assert env == expected

    def test_scripts_are_one_line_without_expressions(self, path: Path) -> None:
        scripts = [step["run"] for step in our_steps(path)]
        assert scripts
        assert not [script for script in scripts if "\n" in script.strip() or "${{" in script]

    def test_scripts_become_the_program_apart_from_the_jobs_python(self, path: Path) -> None:
        up = "" if path.parent == ROOT else "/../.."
        start = (
            f'exec sh "${{GITHUB_ACTION_PATH}}{up}/scripts/any-python" -IS'
            f' "${{GITHUB_ACTION_PATH}}{up}/bot/run.py" '
        )
        scripts = [step["run"] for step in our_steps(path)]
        assert all(script.startswith(start) for script in scripts)
        verbs = [script.removeprefix(start).split()[0] for script in scripts]
        assert verbs == (
            [path.parent.name] if path.parent != ROOT else ["profile-tests", "compare"]
        )
        # A container's image need not have bash.
        assert {step["shell"] for step in our_steps(path)} == {"sh"}

    def test_outputs_come_from_its_own_steps(self, path: Path) -> None:
        ids = {step["id"] for step in load(path)["runs"]["steps"] if "id" in step}
        for output in load(path)["outputs"].values():
            match = re.fullmatch(r"\$\{\{ steps\.(\w+)\.outputs\.([\w-]+) \}\}", output["value"])
            assert match, output["value"]
            assert match[1] in ids


@pytest.mark.parametrize("path", [*ACTIONS, *WORKFLOWS], ids=name)
def test_foreign_actions_are_pinned_and_none_is_nested(path: Path) -> None:
    lines = [
        line.strip().removeprefix("- ")
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert not [line for line in lines if not (PINNED.match(line) or OURS.match(line))]
    if path in ACTIONS:
        assert not [line for line in lines if OURS.match(line)]


def test_one_version_of_each_foreign_action() -> None:
    pins: dict[str, set[str]] = {}
    for path in (*ACTIONS, *WORKFLOWS, *EXAMPLES):
        for match in re.finditer(r"uses: ([\w./-]+)@([0-9a-f]{40} # \S+)", path.read_text("utf-8")):
            pins.setdefault(match[1], set()).add(match[2])
    assert {action: len(versions) for action, versions in pins.items()} == dict.fromkeys(pins, 1)


@pytest.mark.parametrize("path", [p for p in WORKFLOWS if p.stem in CALLED], ids=name)
class TestReusableWorkflow:
    def test_inputs_are_inputs_of_its_action(self, path: Path) -> None:
        # PyYAML reads the key `on` as YAML 1.1's true.
        call = load(path)[True]["workflow_call"]["inputs"]  # type: ignore[index]
        options = options_of(ROOT / "actions" / CALLED[path.stem] / "action.yml")
        shared = {key: spec for key, spec in call.items() if key not in {"runs-on", "setup"}}
        assert shared
        for key, spec in shared.items():
            assert spec["description"] == options[key].help
            assert spec.get("default", "") == options[key].default
        secrets = load(path)[True]["workflow_call"].get("secrets", {})  # type: ignore[index]
        for key, spec in secrets.items():
            assert spec["description"] == options[key].help
            assert not spec["required"]

    def test_every_input_is_passed_on(self, path: Path) -> None:
        call = load(path)[True]["workflow_call"]["inputs"]  # type: ignore[index]
        (job,) = load(path)["jobs"].values()
        (step,) = [s for s in job["steps"] if s.get("uses", "").startswith("octo/telltale/")]
        expected = {k: f"${{{{ inputs.{k} }}}}" for k in call if k not in {"runs-on", "setup"}}
        if "artifact-name" in expected:
            # Nothing else that is known there tells the legs of a caller's matrix apart.
            unique = "format('{0}-{1}-{2}', inputs.name, job.check_run_id, github.run_attempt)"
            expected["artifact-name"] = f"${{{{ inputs.artifact-name || {unique} }}}}"
        if "history" in expected and path.stem == "tests":
            # The tests could read it: none where no history is asked for.
            expected["history-token"] = "${{ inputs.history != '' && github.token || '' }}"
        # GitHub lets no caller put a secret into an input.
        secrets = load(path)[True]["workflow_call"].get("secrets", {})  # type: ignore[index]
        expected |= {key: f"${{{{ secrets.{key} }}}}" for key in secrets}
        assert step["with"] == expected

    def test_outputs_are_passed_on(self, path: Path) -> None:
        outputs = load(path)[True]["workflow_call"]["outputs"]  # type: ignore[index]
        ((name, job),) = load(path)["jobs"].items()
        (step,) = [s for s in job["steps"] if s.get("uses", "").startswith("octo/telltale/")]
        for key, spec in outputs.items():
            assert spec["value"] == f"${{{{ jobs.{name}.outputs.{key} }}}}"
            assert job["outputs"][key] == f"${{{{ steps.{step['id']}.outputs.{key} }}}}"
        action = load(ROOT / "actions" / CALLED[path.stem] / "action.yml")["outputs"]
        assert set(outputs) <= set(action)
        if path.stem == "tests":
            # A folder is of no use in another job.
            assert set(action) - set(outputs) == {"bundle"}

    def test_permissions_are_named_by_the_job_alone(self, path: Path) -> None:
        document = load(path)
        assert document["permissions"] == {}
        (job,) = document["jobs"].values()
        writes = {scope for scope, access in job["permissions"].items() if access == "write"}
        assert writes == (
            {"contents", "issues", "pull-requests"} if path.stem == "report" else set()
        )


@pytest.mark.parametrize("path", EXAMPLES, ids=name)
class TestExample:
    def test_grants_what_the_reusable_workflow_asks_for(self, path: Path) -> None:
        for job in load(path)["jobs"].values():
            match = re.search(r"\.github/workflows/(\w+)\.yml@v1$", job.get("uses", ""))
            if match is None:
                continue
            (called,) = load(ROOT / f".github/workflows/{match[1]}.yml")["jobs"].values()
            assert job["permissions"] == called["permissions"]

    def test_uses_inputs_that_exist(self, path: Path) -> None:
        for job in load(path)["jobs"].values():
            for user in (job, *job.get("steps", ())):
                uses = user.get("uses", "")
                if not uses.startswith("octo/telltale/"):
                    continue
                target = ROOT / uses.removeprefix("octo/telltale/").partition("@")[0]
                if target.suffix == ".yml":
                    inputs = load(target)[True]["workflow_call"]["inputs"]  # type: ignore[index]
                else:
                    inputs = load(target / "action.yml")["inputs"]
                assert set(user.get("with", {})) <= set(inputs)


def test_the_simple_example_is_as_short_as_the_readme_says() -> None:
    text = (ROOT / "examples/workflows/simple/tests.yml").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 15
    assert text in (ROOT / "README.md").read_text(encoding="utf-8")
