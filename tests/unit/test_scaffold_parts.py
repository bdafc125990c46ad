"""The parts of a scaffold that need no process: variables, amplifiers, numbers, knobs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale.model import FailureKind
from telltale.scaffold import classify, variables
from telltale.scaffold.stress import amplifiers, results
from telltale.scaffold.stress.amplifiers import State
from telltale.scaffold.stress.knobs import parse


@pytest.mark.parametrize(
    ("name", "value", "outcome"),
    [
        pytest.param("OMP_NUM_THREADS", "4", "set", id="a-setting"),
        pytest.param("EMPTY", "", "set", id="empty"),
        pytest.param("LD_LIBRARY_PATH", "/opt/lib", "set", id="libraries-on-purpose"),
        pytest.param("PATH", "/opt/bin", "belongs to the machine", id="path"),
        pytest.param("LD_PRELOAD", "x.so", "belongs to the machine", id="preload"),
        pytest.param("BASH_ENV", "x.sh", "belongs to the machine", id="bash-env"),
        pytest.param("BASH_FUNC_ls%%", "() { id; }", "not a name", id="a-function"),
        pytest.param("GIT_SSH_COMMAND", "id", "belongs to the machine", id="git"),
        pytest.param("PYTHONSTARTUP", "x.py", "belongs to the machine", id="startup"),
        pytest.param("TELLTALE_BUDGET", "1", "belongs to the machine", id="ours"),
        pytest.param("A B", "1", "not a name", id="a-space"),
        pytest.param("X", "a\0b", "not a name", id="a-null"),
        pytest.param("API_TOKEN", "x", "never recorded", id="a-secret-name"),
        pytest.param("MODE", "[redacted]", "never recorded", id="redacted"),
        pytest.param("MODE", "ghp_" + "a1" * 18, "never recorded", id="a-secret-value"),
    ],
)
def test_a_variable_set_on_purpose_is_set_or_its_absence_explained(
    name: str, value: str, outcome: str
) -> None:
    chosen, missing = variables.choose({name: value}, {})

    if outcome == "set":
        assert [(one.name, one.value, one.critical) for one in chosen] == [(name, value, True)]
        assert missing == ()
    else:
        assert chosen == ()
        assert [one.what for one in missing] == [name]
        assert missing[0].done.startswith((outcome, "its value was " + outcome))


def test_what_surrounded_the_command_is_set_when_it_travels() -> None:
    surrounding = {"CI": "true", "TERM": "dumb", "PYTHONPATH": "/w/src", "LANG": "C", "HOME": "/x"}

    chosen, missing = variables.choose({"LANG": "C.UTF-8"}, surrounding)

    assert [(one.name, one.value, one.critical) for one in chosen] == [
        ("CI", "true", False),
        ("LANG", "C.UTF-8", True),
    ]
    assert [one.what for one in missing] == ["PYTHONPATH=/w/src"]


@pytest.mark.parametrize("kind", FailureKind)
def test_every_kind_has_amplifiers_and_a_suspect(kind: FailureKind) -> None:
    chosen = classify.amplifiers(kind, whole_command=False, before=3)

    assert set(chosen) <= set(classify.AMPLIFIERS) == set(amplifiers.AMPLIFIERS)
    assert len(set(chosen)) == len(chosen) >= 2
    assert classify.hypothesis(kind, before=3).endswith(".")
    assert "order" not in classify.amplifiers(kind, whole_command=False, before=0)


def state(**changed: Any) -> State:
    values = {
        "spec": {"env": {}, "before": [[f"t.py::test_{n}", 1.0] for n in range(30)]},
        "seed": 1,
        "workers": 4,
        "slice_s": 4.0,
        "start_s": 1.0,
        "test_s": 0.01,
    }
    return State(**{**values, **changed})


def test_the_recorded_order_grows_from_its_end() -> None:
    plans = [amplifiers.order(turn, state()) for turn in range(4)]

    lengths = [len(plan.before) for plan in plans if plan]
    assert lengths == [3, 9, 27, 30]
    assert plans[0] is not None
    assert plans[0].before[-1] == "t.py::test_29"
    assert amplifiers.order(0, state(spec={"env": {}, "before": []})) is None


@given(st.integers(0, 10_000), st.floats(0.1, 300), st.floats(0.01, 30), st.floats(1e-4, 600))
def test_repetitions_grow_within_their_slice(
    turn: int, slice_s: float, start_s: float, test_s: float
) -> None:
    plan = amplifiers.repeat(turn, state(slice_s=slice_s, start_s=start_s, test_s=test_s))

    assert 2 <= plan.copies <= amplifiers.MOST_COPIES
    assert plan.copies == 2 or plan.copies * test_s <= max(slice_s - start_s, slice_s / 2)


def test_a_recorded_hash_seed_is_kept() -> None:
    assert amplifiers.fresh(4, state()).hash_seed == 5
    assert amplifiers.fresh(4, state(spec={"env": {"PYTHONHASHSEED": "0"}})).hash_seed is None


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_the_rate(counts: tuple[int, int]) -> None:
    hits, tries = counts
    low, high = results.wilson(hits, tries)

    assert 0 <= low <= hits / tries <= high <= 1
    assert low == pytest.approx(1 - results.wilson(tries - hits, tries)[1])


@pytest.mark.parametrize(("tries", "bound"), [(1, 0.95), (3, 0.6316), (30, 0.0950), (300, 0.00994)])
def test_the_upper_bound_is_the_rule_of_three(tries: int, bound: float) -> None:
    assert results.upper_bound(tries) == pytest.approx(bound, rel=1e-3)
    assert (1 - results.upper_bound(tries)) ** tries == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0.5, "50 %"), (0.0995, "10 %"), (0.034, "3.4 %"), (0.00021, "0.021 %"), (1.0, "100 %")],
)
def test_rates_read_well(rate: float, text: str) -> None:
    assert results.percent(rate) == text


def test_knobs_come_from_the_command_line_before_variables() -> None:
    known = ["fresh", "repeat", "order"]
    environ = {"TELLTALE_BUDGET": "60", "TELLTALE_SEED": "5", "TELLTALE_RATE": "true"}

    knobs = parse(["--budget", "20", "--without", "order"], environ, known)

    assert (knobs.budget_s, knobs.seed, knobs.rate) == (20.0, 5, True)
    assert knobs.amplifiers == ("fresh", "repeat")
