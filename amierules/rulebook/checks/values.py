"""What is known of the compiled values of a rule file, and what cannot go well in their expressions."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from amierules.diagnostics import Finding, Severity, printable
from amierules.rulebook.checks.scope import StaticScope
from amierules.rulebook.compiled import (
    ConditionValue,
    Constant,
    ExpressionValue,
    LdapText,
    ListValue,
    MappingValue,
    TemplateValue,
    Words,
)
from amierules.rulebook.model import Compiled, Condition
from amierules.rulebook.nodes import ScalarNode
from amierules.rulebook.positions import place_at
from amierules.templating import Doubt, Facts, Nothing, Static
from amierules.templating.static import NOT_CONSTANT, constant, either, list_of
from amierules.templating.values import LIST, MAPPING

Report = Callable[[Finding, str], None]
"""Takes a finding, and the path of the value that it is about."""


class Values:
    """Infers values; what cannot go well goes to `report`."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def infer(self, value: Compiled, scope: StaticScope, facts: Facts) -> Static:
        """What is known of a value."""
        match value:
            case Constant():
                return constant(value.value)
            case TemplateValue():
                return value.template.infer(scope, facts, partial(self._place, value.node))
            case ExpressionValue() | ConditionValue():
                return value.expression.infer(scope, facts, partial(self._place, value.node))
            case Words():
                value.command.infer(scope, facts, lambda item, doubt: self._place(value.nodes[item], doubt))
                return Static()
            case LdapText():
                value.text.infer(scope, facts, partial(self._place, value.node))
                return Static()
            case ListValue():
                listed = list_of(either([self.infer(item, scope, facts) for item in value.items]))
                return listed if value.items else replace(listed, constant=[])
            case MappingValue():
                entries = {key: self.infer(entry, scope, facts) for key, entry in value.entries}
                return Static(MAPPING, Nothing.NEVER, attributes=entries)
            case Condition():
                self.condition(value, scope, facts)
        return Static()

    def element(self, each: Compiled, scope: StaticScope, facts: Facts) -> Static:
        """What is known of the elements of the list of a `for_each`."""
        listed = self.infer(each, scope, facts)
        if listed.kind not in (None, LIST):
            message = f"for_each needs a list, and this is {listed.kind}"
            self._report(Finding("not-a-list", message, each.place, ""), "")
        return listed.element or Static() if listed.kind == LIST else Static()

    def condition(self, condition: Condition, scope: StaticScope, facts: Facts) -> tuple[Facts, Facts]:
        """The facts where a condition holds, and where it does not."""
        holding, other = facts, facts
        for part in condition.expressions:
            before = holding
            if isinstance(part, ConditionValue):
                holding, other = self._part(part, scope, holding)
            elif isinstance(part, Constant) and part.value is False:
                self._constant(part, False)
            if len(condition.expressions) > 1 or holding is before:
                other = facts
        return holding, other

    def _part(self, part: ConditionValue, scope: StaticScope, facts: Facts) -> tuple[Facts, Facts]:
        inferred = part.expression.infer_condition(scope, facts, partial(self._place, part.node))
        value, holding, other = inferred
        if value.constant is not NOT_CONSTANT and not part.expression.names:
            self._constant(part, bool(value.constant), isinstance(value.constant, str))
        return holding, other

    def _constant(self, part: Compiled, holds: bool, is_text: bool = False) -> None:
        message = f"this {'always' if holds else 'never'} holds, whatever the packet says"
        hint = "a text in quotes always holds: remove the quotes" if is_text else "leave it out" if holds else ""
        finding = Finding("constant-condition", message, part.place, hint, Severity.WARNING)
        self._report(finding, "")

    def _place(self, node: ScalarNode, doubt: Doubt) -> None:
        place = place_at(node, doubt.offset, doubt.length)
        finding = Finding(doubt.code, printable(doubt.message), place, printable(doubt.hint), doubt.severity)
        self._report(finding, doubt.about)
