"""The names at one place of a rule or block, as far as they are known: those of the packet, vars, results."""

from collections.abc import Callable, Collection, Mapping

from jinja2 import nodes

from amierules.rulebook.compiled import ExpressionValue, TemplateValue
from amierules.rulebook.model import Compiled
from amierules.templating import Facts, Nothing, Static

Infer = Callable[[Compiled, "StaticScope", Facts], Static]

_ANYTHING = Static()
_IMPLIED_BY = {
    "person": ("account",),
    "project": ("account", "allocation"),
    "resource": ("account", "allocation"),
}
"""An account in scope is that of the person in scope, on the project in scope, and so on."""


class StaticScope:
    """What `StaticNames` asks for: a rule's or block's names, with what is known of their values."""

    def __init__(
        self,
        known: Mapping[str, Static],
        variables: Mapping[str, Compiled],
        local: Mapping[str, Static],
        infer: Infer,
        entry: Facts,
    ) -> None:
        self.known = known
        self.local = dict(local)
        self.registered: dict[str, Static] = {}
        self.entry = entry
        """The facts where no action has changed a row yet: variables see the names as they stood then."""
        self.changed = False
        self._variables = variables
        self._infer = infer
        self._guards: dict[str, frozenset[str]] = {}
        self._under_way: set[str] = set()
        self._seen: dict[tuple[str, Facts], Static] = {}

    def static(self, name: str, facts: Facts) -> Static:
        """What is known of a name's value."""
        if name in self.local:
            value = self.local[name]
            guard = self._guards.get(name)
            return value.known(Nothing.NEVER) if guard is not None and guard <= facts.holding else value
        if name in self._variables:
            return self._variable(name, self.entry if self.changed else facts)
        value = self.known.get(name, _ANYTHING)
        implied = any(facts.of(other) is Nothing.NEVER for other in _IMPLIED_BY.get(name, ()))
        return value.known(Nothing.NEVER) if implied else value

    def definition(self, name: str) -> nodes.Expr | None:
        """The expression that a variable stands for, where it is one."""
        value = self._variables.get(name) if name not in self.local else None
        if isinstance(value, TemplateValue):
            return value.template.tree
        return value.expression.tree if isinstance(value, ExpressionValue) else None

    @property
    def asked_variables(self) -> set[str]:
        """The variables that an expression has asked for."""
        return {name for name, _ in self._seen}

    def infer_others(self, asked: Collection[str]) -> None:
        """Looks at the variables that nothing has asked for."""
        for name in self._variables:
            if name not in asked:
                self._variable(name, self.entry)

    def register(self, name: str, value: Static, guard: frozenset[str]) -> None:
        """A result; `guard` are the conditions under which its action is not skipped."""
        self.local[name] = self.registered[name] = value
        if guard:
            self._guards[name] = guard

    def _variable(self, name: str, facts: Facts) -> Static:
        key = name, facts
        if key not in self._seen:
            if name in self._under_way:
                return _ANYTHING
            self._under_way.add(name)
            self._seen[key] = self._infer(self._variables[name], self, facts)
            self._under_way.discard(name)
        return self._seen[key]
