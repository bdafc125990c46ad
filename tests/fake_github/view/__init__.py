"""The state as GitHub shows it: one method per kind of object, complete as documented."""

from tests.fake_github.view.actions import ActionsView
from tests.fake_github.view.base import when


class View(ActionsView):
    """All views; each module's class adds its subject to the one before."""


__all__ = ["View", "when"]
