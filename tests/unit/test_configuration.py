"""`.github/telltale.yml`, and the gate: strict, and one clear line for what makes no sense."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from telltale.compare.settings import Ceiling, NumberMeaning, Settings
from telltale.errors import UsageError
from telltale.verbs import configuration
from tests.fake_github import FakeGitHub
from tests.forges import connect

WHERE = ".github/telltale.yml"
WHOLE = """
ceilings:
  - {metric: wall_s, limit: 905}
  - metric: duration_s
    tests: "tests/slow/*"
    limit: 10.5
numbers:
  steps_per_s: {unit: steps/s, better: higher}
  loss: {better: lower}
"""
SETTINGS = Settings(
    ceilings=(
        Ceiling(metric="wall_s", limit=905.0, origin=WHERE),
        Ceiling(metric="duration_s", limit=10.5, tests="tests/slow/*", origin=WHERE),
    ),
    numbers=(
        NumberMeaning(name="steps_per_s", unit="steps/s", better="higher"),
        NumberMeaning(name="loss", better="lower"),
    ),
)


@pytest.fixture
def github() -> Iterator[FakeGitHub]:
    with FakeGitHub() as github:
        yield github


def test_the_whole_file_is_read() -> None:
    assert configuration.parse(WHOLE, WHERE) == SETTINGS


@pytest.mark.parametrize("text", ["", "# nothing\n", "ceilings:\nnumbers:\n", "ceilings: []"])
def test_nothing_set_is_the_default(text: str) -> None:
    assert configuration.parse(text, WHERE) == Settings()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ceiling: []", "ceiling: unknown key; known are ceilings, numbers"),
        ("- a", "the file: expected keys with values, got \"['a']\""),
        ("ceilings: 905", "ceilings: expected a list, got '905'"),
        ("ceilings: [905]", "ceilings[0]: expected keys with values, got '905'"),
        (
            "ceilings: [{metric: wall_s, limit: 1, test: a}]",
            "ceilings[0].test: unknown key; known are limit, metric, tests",
        ),
        (
            "ceilings: [{metric: wall, limit: 1}]",
            "ceilings[0].metric: expected one of cpu_percent, cpu_s, max_rss_bytes, system_s,",
        ),
        (
            "ceilings: [{metric: wall_s, tests: '*', limit: 1}]",
            "ceilings[0].metric: expected one of cpu_s, duration_s (of tests), got 'wall_s'",
        ),
        *(
            (
                f"ceilings: [{{metric: wall_s, limit: {limit}}}]",
                f"ceilings[0].limit: expected a number above 0, of seconds, bytes or %, got {got!r}",
            )
            for limit, got in (("-1", "-1"), ("yes", "True"), (".nan", "nan"), ("15 min", "15 min"))
        ),
        ("numbers: {loss: {}}", "numbers.loss.better: expected lower or higher, got 'None'"),
        ("numbers: {loss: {better: lower, unit: 1}}", "numbers.loss.unit: expected a text, got '1'"),
        ("numbers: {loss: {better: lower, units: s}}", "numbers.loss.units: unknown key; known are better, unit"),
        ("a: [", "not YAML: while parsing a flow node"),
        ("x: !!python/object/apply:os.system [ls]", "not YAML: could not determine a constructor"),
        ("#" * 70_000, "more than 64 KiB are no configuration"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_said_with_file_and_key(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        configuration.parse(text, WHERE)
    assert str(caught.value).startswith(f"{WHERE}: {message}")
    assert "\n" not in str(caught.value)


def test_without_a_file_nothing_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert configuration.load(configuration.DEFAULT) == (Settings(), "")
    with pytest.raises(UsageError, match=r"--config other.yml: there is no such file"):
        configuration.load("other.yml")
    (tmp_path / "other.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match=r"--config other.yml: cannot be read"):
        configuration.load("other.yml")


def test_in_a_job_the_default_branchs_file_is_read(github: FakeGitHub) -> None:
    forge = connect(github)
    assert configuration.load(WHERE, forge) == (Settings(), "")
    github.push(files={WHERE: WHOLE})
    github.push(branch="topic", files={WHERE: "nonsense: 1"})

    assert configuration.load(WHERE, forge) == (SETTINGS, "")


def test_a_token_that_may_not_read_it_is_told(github: FakeGitHub) -> None:
    settings, problem = configuration.load(WHERE, connect(github, "no-such-token"))

    assert settings == Settings()
    assert problem.startswith(f"{WHERE} is not heeded: GitHub: cannot read {WHERE}")
