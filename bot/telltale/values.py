"""
Frozen dataclasses that cost a start nothing: `dataclass`, `field`, `replace`, `asdict`.

Spelled as in `dataclasses`, and to a type checker they are those. The standard
module writes, compiles and runs the source of six methods for each class, about
0.65 ms, and its import brings `inspect`, `ast` and `dis`: with 55 classes 40 ms
of CPU in front of every command that is measured. Here the methods are shared,
and a class costs about 0.05 ms. See docs/decisions/0013.

What is promised of a class: all fields keyword-only and in `__slots__`;
TypeError for arguments that are missing or unknown; equality by class and
fields; a hash and `FrozenInstanceError` when frozen; copying and pickling; and
that `dataclasses.fields`, `replace`, `asdict` and `is_dataclass` and
`inspect.signature` take it for one of theirs. What is not here: positional
fields, order, inheritance, `ClassVar`, `InitVar`, `__post_init__`, and any
option of a field but `default_factory`; asking for one is a TypeError.
"""

from __future__ import annotations

import reprlib
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any, TypeVar, cast

__all__ = ["asdict", "dataclass", "field", "fields_of", "replace"]

T = TypeVar("T")

_GENERAL_UP_TO = 100
"""Instances of a class that the shared way makes before a function for it alone pays: 0.3 ms."""


class _Missing:
    """What a field without a default has for one."""


class _Factory:
    """The default of a field that is made anew for each instance."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], object]) -> None:
        self.make = make


class _Late:
    """What `dataclasses` and `inspect` ask a class for: taken from a real dataclass when they do."""

    __slots__ = ("_name", "_owner")

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, instance: object, owner: type) -> Any:
        twin = _twin(self._owner)
        if self._name == "__signature__":
            import inspect  # noqa: PLC0415  # this is what no run shall wait for

            found: object = inspect.signature(twin)
        else:
            found = getattr(twin, self._name)
        setattr(self._owner, self._name, found)
        return found


def _dataclass(
    *, frozen: bool = False, slots: bool = False, kw_only: bool = False
) -> Callable[[type[T]], type[T]]:
    """Return the decorator; `slots` and `kw_only` must be asked for, as there is no other kind."""
    if not (slots and kw_only):
        raise TypeError("only dataclass(slots=True, kw_only=True) is made here")
    return lambda cls: _made(cls, frozen=frozen)


def _field(*, default_factory: Callable[[], object]) -> Any:
    """Return what stands for a default that is made anew for each instance."""
    return _Factory(default_factory)


def fields_of(value: object) -> dict[str, object]:
    """Return the fields of a dataclass, of one of `dataclasses` too, by name; of all else nothing."""
    kind: Any = type(value)
    if hasattr(kind, "__value_names__"):
        return _items(value)
    # Not `dataclasses.fields`: that would have to be imported.
    names = getattr(kind, "__dataclass_fields__", ())
    return {name: getattr(value, name) for name in names}


def _replace(value: T, /, **changes: object) -> T:
    """Return another value of the same class, with these fields changed; TypeError for others."""
    return type(value)(**{**fields_of(value), **changes})


def _asdict(value: Any) -> Any:
    """
    Return a value as a mapping, and all values in its fields, tuples, lists and mappings likewise.

    Unlike the standard one it does not copy what is at the ends: they cannot change.
    """
    if fields := fields_of(value):
        return {name: _asdict(inner) for name, inner in fields.items()}
    if type(value) in {tuple, list}:
        return type(value)(map(_asdict, value))
    if isinstance(value, dict):
        return {_asdict(key): _asdict(inner) for key, inner in value.items()}
    return value


def _made(cls: type[T], *, frozen: bool) -> type[T]:
    body = {
        name: cls.__dict__[name] for name in cls.__dict__ if name not in {"__dict__", "__weakref__"}
    }
    names = tuple(cls.__annotations__)
    _check(cls, names)
    defaults = tuple(body.pop(name, _Missing) for name in names)
    body |= {
        "__slots__": names,
        "__value_names__": names,
        "__value_defaults__": defaults,
        "__value_frozen__": frozen,
        "__value_read__": _reader(names),
        "__dataclass_fields__": _Late(),
        "__dataclass_params__": _Late(),
        "__signature__": _Late(),
        "__match_args__": (),
        "__eq__": _equal,
        "__hash__": _hash if frozen else None,
        "__replace__": _replace,
    }
    body.setdefault("__repr__", _written)
    if frozen:
        body |= {
            "__setattr__": _no_setting,
            "__delattr__": _no_deleting,
            "__getstate__": _get_state,
            "__setstate__": _set_state,
        }
    made: Any = type(cls.__name__, (), body)
    made.__init__ = _general_init(made)
    return cast("type[T]", made)


def _check(cls: type, names: tuple[str, ...]) -> None:
    if cls.__bases__ != (object,) or "__post_init__" in cls.__dict__:
        raise TypeError(f"{cls.__name__}: neither bases nor __post_init__ are known here")
    for name in names:
        default = cls.__dict__.get(name)
        if "Var[" in str(cls.__annotations__[name]):
            raise TypeError(f"{cls.__name__}.{name}: neither ClassVar nor InitVar is known here")
        if type(default).__hash__ is None:
            raise ValueError(f"{cls.__name__}.{name}: use default_factory for what can change")


def _reader(names: tuple[str, ...]) -> Callable[[object], tuple[object, ...]]:
    """Return what reads all fields at once."""
    if len(names) > 1:
        return attrgetter(*names)
    return staticmethod(lambda value: tuple(getattr(value, name) for name in names))


def _general_init(cls: Any) -> Callable[..., None]:
    """Return an `__init__` that looks up what to do, until it is called often or wrongly."""
    plan = [
        (name, cls.__dict__[name].__set__, default)
        for name, default in zip(cls.__value_names__, cls.__value_defaults__, strict=True)
    ]
    left = _GENERAL_UP_TO

    def __init__(self: object, /, **given: object) -> None:  # noqa: N807
        nonlocal left
        left -= 1
        known = 0
        for name, put, default in plan:
            if name in given:
                known += 1
                put(self, given[name])
            elif type(default) is _Factory:
                put(self, default.make())
            elif default is _Missing:
                known = -1
                break
            else:
                put(self, default)
        if known != len(given) or left <= 0:
            # In the wrong case Python itself says what is wrong with the arguments.
            cls.__init__ = _own_init(cls)
            cls.__init__(self, **given)

    __init__.__qualname__ = f"{cls.__qualname__}.__init__"
    return __init__


def _own_init(cls: Any) -> Callable[..., None]:
    """Return an `__init__` for this class alone, as fast as Python can have it."""
    scope: dict[str, Any] = {"__name__": cls.__module__, "_put": object.__setattr__}
    parameters, lines = ["self", "*"], ["pass"]
    for at, name in enumerate(cls.__value_names__):
        default, value = cls.__value_defaults__[at], name
        scope[f"_default_{at}"] = default
        if type(default) is _Factory:
            scope[f"_make_{at}"] = default.make
            value = f"_make_{at}() if {name} is _default_{at} else {name}"
        parameters.append(name if default is _Missing else f"{name}=_default_{at}")
        lines.append(
            f"_put(self, {name!r}, {value})" if cls.__value_frozen__ else f"self.{name} = {value}"
        )
    source = f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines)
    if len(parameters) == 2:
        source = "def __init__(self): pass"
    exec(source, scope)  # noqa: S102  # of names of fields, which are ours
    made: Callable[..., None] = scope["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _items(value: Any) -> dict[str, object]:
    return dict(zip(value.__value_names__, value.__value_read__(value), strict=True))


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    read = self.__value_read__
    return read(self) == read(other)


def _hash(self: Any) -> int:
    return hash(self.__value_read__(self))


@reprlib.recursive_repr()
def _written(self: Any) -> str:
    inside = ", ".join(f"{name}={value!r}" for name, value in _items(self).items())
    return f"{type(self).__qualname__}({inside})"


def _no_setting(self: object, name: str, value: object) -> None:  # noqa: ARG001
    from dataclasses import FrozenInstanceError  # noqa: PLC0415  # only for a mistake of ours

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _no_deleting(self: object, name: str) -> None:  # noqa: ARG001
    from dataclasses import FrozenInstanceError  # noqa: PLC0415  # as above

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _get_state(self: Any) -> list[object]:
    return list(self.__value_read__(self))


def _set_state(self: Any, state: list[object]) -> None:
    for name, value in zip(self.__value_names__, state, strict=True):
        object.__setattr__(self, name, value)


def _twin(cls: Any) -> type:
    """Return a real dataclass with the same fields."""
    import dataclasses  # noqa: PLC0415  # this is what no run shall wait for

    fields: list[tuple[str, Any, Any]] = []
    for name, default in zip(cls.__value_names__, cls.__value_defaults__, strict=True):
        if default is _Missing:
            field = dataclasses.field()
        elif isinstance(default, _Factory):
            field = dataclasses.field(default_factory=default.make)
        else:
            field = dataclasses.field(default=default)
        fields.append((name, cls.__annotations__[name], field))
    return dataclasses.make_dataclass(
        cls.__name__, fields, frozen=cls.__value_frozen__, slots=True, kw_only=True
    )


if TYPE_CHECKING:
    from dataclasses import asdict, dataclass, field, replace
else:
    dataclass, field, replace, asdict = _dataclass, _field, _replace, _asdict
