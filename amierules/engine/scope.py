"""The names that expressions see: those of the packet, the registry rows, vars, parameters, and what was registered."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from amierules.database.rows import RegistryRow
from amierules.engine.row_views import Registry, RowView, person_finder, view_of
from amierules.rulebook.model import Compiled
from amierules.templating import EvaluationError, Unknown

ROW_NAMES = ("person", "project", "allocation", "account")
_FINDER = "find_person"

Rows = dict[str, Any]
"""The registry rows in scope by name; shared by a rule and its blocks, replaced as actions leave them."""


class PacketNames(Mapping[str, object]):
    """The names that are the same all through a packet's pass; each computed when it is first asked for."""

    def __init__(self, makers: Mapping[str, Callable[[], object]]) -> None:
        self._makers = makers
        self._made: dict[str, object] = {}

    def __getitem__(self, name: str) -> object:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def instead(self, makers: Mapping[str, Callable[[], object]]) -> "PacketNames":
        """The same names, some of them made otherwise."""
        other = PacketNames({**self._makers, **makers})
        other._made = {name: value for name, value in self._made.items() if name not in makers}
        return other

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


class Variables:
    """The `vars` of a file or block: each evaluated once, at its first use, with the names as they stood on entry."""

    def __init__(self, compiled: Mapping[str, Compiled], names: "Scope", known: Mapping[str, object]) -> None:
        self._compiled = compiled
        self._names = names
        self._values = {name: wrapped(value, names.registry) for name, value in known.items()}
        self._under_way: list[str] = []

    def __contains__(self, name: object) -> bool:
        return name in self._compiled

    def evaluated(self) -> dict[str, object]:
        """The values so far, with rows in place of the mappings that rules see."""
        return {name: unwrapped(value) for name, value in self._values.items()}

    def over(self, packet_names: PacketNames) -> "Variables":
        """The same with other names of the packet; what has a value keeps it."""
        on_entry = Scope(packet_names, self._names.rows, self._names.registry, self._names.local)
        on_entry.variables = other = Variables(self._compiled, on_entry, {})
        other._values = dict(self._values)
        return other

    def value(self, name: str) -> object:
        """The variable's value. Raises `EvaluationError` where variables need each other in a circle."""
        if name not in self._values:
            if name in self._under_way:
                circle = " -> ".join([*self._under_way, name])
                raise EvaluationError(f"the vars need each other in a circle: {circle}", code="circle", name=name)
            self._under_way.append(name)
            try:
                self._values[name] = self._compiled[name].evaluate(self._names)
            finally:
                self._under_way.remove(name)
        return self._values[name]


class Scope(Mapping[str, object]):
    """All names in one place of a rule or block."""

    def __init__(
        self, packet_names: PacketNames, rows: Rows, registry: Registry, local: Mapping[str, object] | None = None
    ) -> None:
        self.packet_names = packet_names
        self.rows = rows
        self.registry = registry
        self.local: dict[str, object] = dict(local or {})
        self.variables: Variables | None = None

    def enter(
        self,
        variables: Mapping[str, Compiled],
        parameters: Mapping[str, object] | None = None,
        known: Mapping[str, object] | None = None,
    ) -> "Scope":
        """The scope of a file or block: the packet's names, its parameters and its vars; nothing of its caller's.

        `known` are values of vars that a former pass evaluated.
        """
        inside = Scope(self.packet_names, self.rows, self.registry, parameters)
        on_entry = Scope(self.packet_names, dict(self.rows), self.registry.as_it_stands(), parameters)
        inside.variables = on_entry.variables = Variables(variables, on_entry, known or {})
        return inside

    def with_item(self, item: object) -> "Scope":
        """The same scope with `item` set, for one round of a `for_each`."""
        inside = Scope(self.packet_names, self.rows, self.registry, {**self.local, "item": item})
        inside.variables = self.variables
        return inside

    def with_names(self, names: Mapping[str, object]) -> "Scope":
        """The same scope with further names, as far as nothing is called so already."""
        further = {name: value for name, value in names.items() if name not in self}
        inside = Scope(self.packet_names, self.rows, self.registry, {**further, **self.local})
        inside.variables = self.variables
        return inside

    def instead(self, makers: Mapping[str, Callable[[], object]]) -> "Scope":
        """The same scope in which some names of the packet are made otherwise, for its vars too."""
        inside = Scope(self.packet_names.instead(makers), self.rows, self.registry, self.local)
        inside.variables = self.variables and self.variables.over(inside.packet_names)
        return inside

    def with_result(self, name: str | None, result: object, row: str | None) -> "Scope":
        """The same scope as a step leaves it: with its result under the name that it registers, and its row."""
        local = self.local if name is None else {**self.local, name: result}
        inside = Scope(
            self.packet_names, self.rows if row is None else {**self.rows, row: result}, self.registry, local
        )
        inside.variables = self.variables
        return inside

    def __getitem__(self, name: str) -> object:
        if name in self.local:
            return self.local[name]
        if self.variables is not None and name in self.variables:
            return self.variables.value(name)
        if name in self.rows:
            row = self.rows[name]
            return row if isinstance(row, Unknown) else view_of(row, self.registry)
        if name == _FINDER:
            return person_finder(self.registry)
        return self.packet_names[name]

    def __contains__(self, name: object) -> bool:
        return (
            name in self.local
            or (self.variables is not None and name in self.variables)
            or name in self.rows
            or name == _FINDER
            or name in self.packet_names
        )

    def __iter__(self) -> Iterator[str]:
        yield from {**self.local, **self.rows, _FINDER: None, **self.packet_names}

    def __len__(self) -> int:
        return sum(1 for _ in self)


def wrapped(value: Any, registry: Registry) -> object:
    """The other way round: rows as rules see them."""
    if isinstance(value, list):
        return [wrapped(element, registry) for element in value]
    if isinstance(value, dict):
        return {key: wrapped(element, registry) for key, element in value.items()}
    return view_of(value, registry) if isinstance(value, RegistryRow) else value


def unwrapped(value: object) -> Any:
    """A parameter's value with rows in place of the mappings that rules see."""
    if isinstance(value, RowView):
        return value.row
    if isinstance(value, list):
        return [unwrapped(element) for element in value]
    if isinstance(value, dict):
        return {key: unwrapped(element) for key, element in value.items()}
    return value
