"""The module of a kind that a package brings: imported when a step first needs it, and never trusted blindly."""

import importlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from amierules.actions.base import ActionError, BackendUnavailable, Change, Doubt, Params, Plan, Surroundings
from amierules.actions.own_kinds import OwnKind
from amierules.diagnostics import printable
from amierules.templating import Unknown, UnknownUsed

_FUNCTIONS = ("target", "probe", "plan", "apply")


class FaultyKind(Exception):
    """The code of a package's kind is wrong: it failed as no kind may, or returned what no kind returns."""


@dataclass
class OwnModule:
    """A kind as the engine knows kinds. What is wrong with the package is said, with its name."""

    own: OwnKind
    _module: Any = field(default=None, init=False)

    def check(self) -> str:
        """Imports the module; '' where it can be used, else why not."""
        try:
            self._loaded()
        except BackendUnavailable as error:
            return str(error)
        return ""

    def doubt(self, params: Params) -> Doubt:
        """As the schema's `x-doubt` says, so that it is known without the module."""
        return Doubt(self.own.schema["x-doubt"])

    def target(self, params: Params) -> str:
        """See `Kind.target`."""
        return self._text(self._call("target", params))

    def probe(self, params: Params, surroundings: Surroundings) -> object:
        """See `Kind.probe`. Raises `BackendUnavailable` where the module cannot be imported."""
        return self._call("probe", params, surroundings)

    def plan(self, params: Params, state: object, surroundings: Surroundings) -> Plan:
        """See `Kind.plan`."""
        plan = self._call("plan", params, state, surroundings)
        if not isinstance(plan, Plan) or not all(isinstance(change, Change) for change in plan.changes):
            raise FaultyKind(f"{self._about}: plan() returned no Plan of Changes")
        if not plan.conflict:
            self._result("plan", plan.result)
        return plan

    def apply(self, params: Params, plan: Plan, surroundings: Surroundings) -> object:
        """See `Kind.apply`."""
        return self._result("apply", self._call("apply", params, plan, surroundings))

    @property
    def _about(self) -> str:
        return f"the kind '{self.own.name}' of the package {self.own.package}"

    def _loaded(self) -> Any:
        if self._module is not None:
            return self._module
        try:
            module = importlib.import_module(self.own.module)
        except (Exception, SystemExit) as error:
            why = f"{self._about} cannot be imported: {type(error).__name__}: {printable(error, 200)}"
            raise BackendUnavailable(why) from error
        missing = [name for name in _FUNCTIONS if not callable(getattr(module, name, None))]
        if missing:
            raise BackendUnavailable(f"{self._about}: the module {self.own.module} has no {missing[0]}()")
        self._module = module
        return module

    def _call(self, name: str, *given: object) -> object:
        function = getattr(self._loaded(), name)
        with self._answerable(name):
            return function(*given)

    @contextmanager
    def _answerable(self, name: str) -> Iterator[None]:
        """What its code may raise passes; anything else is said to be its fault."""
        try:
            yield
        except (ActionError, UnknownUsed, FaultyKind):
            raise
        except Exception as error:
            raise FaultyKind(f"{self._about}: {name}() failed: {type(error).__name__}: {printable(error)}") from error

    def _text(self, value: object) -> str:
        if not isinstance(value, str):
            raise FaultyKind(f"{self._about}: target() returned no text")
        return value

    def _result(self, name: str, result: object) -> object:
        """The result, which has the keys that the schema tells rules of, and values that the journal can hold."""
        told = self.own.schema["x-result"]
        if isinstance(result, Unknown):
            return result
        if (result or {}) == {} and not told:
            return None
        if not isinstance(result, Mapping) or set(result) != set(told):
            raise FaultyKind(f"{self._about}: {name}() returned no result with {', '.join(told) or 'no keys'}")
        wrong = [key for key, value in result.items() if not _plain(value)]
        if wrong:
            raise FaultyKind(f"{self._about}: {name}() returned a result whose '{wrong[0]}' is no plain value")
        return dict(result)


def _plain(value: object) -> bool:
    """Whether a value is a text, number, boolean, none, one that is not known yet, or a list or mapping of such."""
    if isinstance(value, list | tuple):
        return all(_plain(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _plain(item) for key, item in value.items())
    return value is None or isinstance(value, str | int | float | bool | Unknown)
