"""`telltale.values` against the dataclasses that it stands for."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telltale import values
from telltale.errors import UsageError

BOT = Path(__file__).parents[2] / "bot"


@values.dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Ours, frozen."""

    x: int
    y: int = 2
    tags: Mapping[str, int] = values.field(default_factory=dict)

    @property
    def total(self) -> int:
        return self.x + self.y


@values.dataclass(slots=True, kw_only=True)
class Count:
    """Ours, not frozen."""

    name: str
    seen: list[str] = values.field(default_factory=list)


@values.dataclass(frozen=True, slots=True, kw_only=True)
class One:
    only: Any


@values.dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    pass


@values.dataclass(frozen=True, slots=True, kw_only=True)
class Outer:
    inner: Point
    more: tuple[Point, ...] = ()


def real(name: str, *, frozen: bool) -> Any:
    """Return the same class as the standard library makes it."""
    fields: list[Any] = (
        [
            ("x", int),
            ("y", int, dataclasses.field(default=2)),
            ("tags", dict, dataclasses.field(default_factory=dict)),
        ]
        if name == "Point"
        else [("name", str), ("seen", list, dataclasses.field(default_factory=list))]
    )
    return dataclasses.make_dataclass(name, fields, frozen=frozen, slots=True, kw_only=True)


REAL = {Point: real("Point", frozen=True), Count: real("Count", frozen=False)}
NAMES = st.sampled_from(["x", "y", "tags", "name", "seen", "other"])
GIVEN: Any = st.dictionaries(NAMES, st.sampled_from([0, 1, 2, float("nan"), "", "a"]))


def outcome(what: Any, *args: Any, **kwargs: Any) -> tuple[str, str]:
    """Return what a call did: the value it made as a text, or the error."""
    try:
        return "made", repr(what(*args, **kwargs))
    except (TypeError, AttributeError) as error:
        return type(error).__name__, str(error)


@pytest.mark.parametrize("ours", [Point, Count])
@given(arguments=GIVEN)
def test_arguments_are_taken_and_refused_in_the_same_words(
    ours: Any, arguments: dict[str, Any]
) -> None:
    assert outcome(ours, **arguments) == outcome(REAL[ours], **arguments)
    assert outcome(ours, 1, **arguments) == outcome(REAL[ours], 1, **arguments)


@given(one=GIVEN, other=GIVEN)
def test_equality_and_hash_go_by_class_and_fields(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    for ours, known, more in ((Point, ("x", "y"), {"tags": ()}), (Count, ("name",), {})):
        left, right = ({name: each.get(name, 0) for name in known} | more for each in (one, other))
        same = dataclasses.astuple(REAL[ours](**left)) == dataclasses.astuple(REAL[ours](**right))
        assert (ours(**left) == ours(**right)) is same
        assert (ours(**left) != ours(**right)) is not same
        if ours is Point:
            assert hash(ours(**left)) == hash(REAL[ours](**left))


def test_values_of_two_classes_are_never_equal() -> None:
    assert Point(x=1) != REAL[Point](x=1)
    other: object = One(only=1)
    assert Point(x=1) != other


def test_only_a_frozen_value_has_a_hash() -> None:
    assert len({One(only=1), One(only=1), Empty(), Empty()}) == 2
    with pytest.raises(TypeError, match="unhashable"):
        hash(Count(name=""))


def test_a_frozen_value_cannot_be_changed_and_says_so_as_dataclasses_do() -> None:
    ours, theirs = Point(x=1), REAL[Point](x=1)
    assert outcome(setattr, ours, "x", 3) == outcome(setattr, theirs, "x", 3)
    assert outcome(delattr, ours, "x") == outcome(delattr, theirs, "x")
    # A real one with slots stumbles here over a mistake of its own.
    assert outcome(setattr, ours, "other", 3)[0] == "FrozenInstanceError"
    assert ours == Point(x=1)


def test_a_mutable_value_can_be_changed_and_has_its_own_defaults() -> None:
    one, other = Count(name="a"), Count(name="a")
    one.seen.append("b")
    assert other.seen == []
    other.seen = ["b"]
    assert one == other
    with pytest.raises(AttributeError):
        other.another = 1  # type: ignore[attr-defined]


@given(x=st.integers(), tags=st.dictionaries(st.text(), st.integers()))
def test_copies_and_pickles_are_equal(x: int, tags: dict[str, int]) -> None:
    for value in (Outer(inner=Point(x=x, tags=tags)), Count(name=str(x), seen=list(tags)), Empty()):
        for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
            assert pickle.loads(pickle.dumps(value, protocol)) == value  # noqa: S301  # ours
        assert copy.copy(value) == copy.deepcopy(value) == value


@given(x=st.integers(), tags=st.dictionaries(st.text(), st.integers()))
def test_the_functions_of_dataclasses_take_them(x: int, tags: dict[str, int]) -> None:
    value = Outer(inner=Point(x=x, tags=tags), more=(Point(x=1),))
    assert dataclasses.is_dataclass(value)
    assert dataclasses.is_dataclass(Outer)
    assert dataclasses.asdict(value) == values.asdict(value)
    assert dataclasses.replace(value, more=()) == values.replace(value, more=())
    assert [each.name for each in dataclasses.fields(Point)] == ["x", "y", "tags"]
    assert [each.default for each in dataclasses.fields(Point)][1] == 2
    assert dataclasses.fields(value.inner)[2].default_factory is dict
    for replace in (dataclasses.replace, values.replace):
        with pytest.raises(TypeError, match="unexpected keyword argument 'other'"):
            replace(value, other=1)


def test_they_can_be_inspected() -> None:
    assert inspect.signature(Point).parameters.keys() == {"x", "y", "tags"}
    assert inspect.signature(Point).parameters["y"].default == 2
    assert get_type_hints(Point)["x"] is int
    assert Point.__doc__ == "Ours, frozen."
    assert Point.__qualname__ == "Point"
    assert Point.__match_args__ == ()
    assert Point(x=1).total == 3


def test_a_value_that_holds_itself_can_be_written() -> None:
    ring: list[object] = []
    value = One(only=ring)
    ring.append(value)
    assert repr(value) == "One(only=[...])"


def test_a_class_that_is_made_often_goes_on_as_before() -> None:
    @values.dataclass(frozen=True, slots=True, kw_only=True)
    class Often:
        a: int
        b: int = 2
        c: list[int] = values.field(default_factory=list)

    first = Often.__init__
    made = [Often(a=at) for at in range(300)]
    assert Often.__init__ is not first
    assert [(each.a, each.b, each.c) for each in made] == [(at, 2, []) for at in range(300)]
    assert len({id(each.c) for each in made}) == 300
    assert outcome(Often) == (
        "TypeError",
        f"{Often.__qualname__}.__init__() missing 1 required keyword-only argument: 'a'",
    )
    nothing = [Empty() for _ in range(300)]
    assert set(nothing) == {Empty()}


def test_what_is_not_known_here_is_refused() -> None:
    with pytest.raises(TypeError, match="slots=True, kw_only=True"):
        values.dataclass(frozen=True)
    make = values.dataclass(slots=True, kw_only=True)
    with pytest.raises(ValueError, match="default_factory"):
        make(type("Bad", (), {"__annotations__": {"a": "list"}, "a": []}))
    with pytest.raises(TypeError, match="neither bases"):
        make(type("Bad", (UsageError,), {"__annotations__": {"a": "list"}}))

    class Shared:
        a: ClassVar[int] = 1

    with pytest.raises(TypeError, match="ClassVar"):
        make(Shared)


def test_a_run_needs_no_import_of_dataclasses(tmp_path: Path) -> None:
    """What one module of the runner half imports is paid for by every run."""
    run = [sys.executable, "-IS", "-X", "importtime", str(BOT / "run.py"), "profile-tests"]
    done = subprocess.run(
        [*run, "--out", str(tmp_path), "--", "true"], capture_output=True, text=True, check=True
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "telltale.model" in imported
    assert not {"dataclasses", "inspect", "telltale.records"} & imported


def test_a_class_needs_no_import_of_dataclasses() -> None:
    program = (
        "import sys; from telltale import model; model.Evidence; model.Host(fingerprint='')"
        "; sys.exit(bool({'dataclasses', 'inspect'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], env={"PYTHONPATH": str(BOT)}, check=False
    )
    assert done.returncode == 0
