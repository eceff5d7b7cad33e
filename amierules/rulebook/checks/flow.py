"""Walks the rules of one packet type as the engine would, with what conditions and actions have told by then."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from amierules.diagnostics import Finding, Severity, printable
from amierules.protocol.catalogue import PacketType
from amierules.rulebook.checks.notices import check_notice, not_configured
from amierules.rulebook.checks.packet_types import ROWS, known_names
from amierules.rulebook.checks.parameters import check_parameter
from amierules.rulebook.checks.replying import check_reply
from amierules.rulebook.checks.results import result_of
from amierules.rulebook.checks.scope import StaticScope
from amierules.rulebook.checks.values import Values
from amierules.rulebook.checks.view import FileView, Surroundings
from amierules.rulebook.compiled import Constant, MappingValue
from amierules.rulebook.model import Action, Block, Condition, Defer, Ending, Outcome, Reply, Rule, RuleFile
from amierules.rulebook.nodes import MappingNode
from amierules.rulebook.structure import mappings_in
from amierules.templating import Facts, Nothing, Static
from amierules.templating.static import list_of
from amierules.templating.values import MAPPING

ABOUT_NONE = frozenset({"may-be-none", "none-in-text"})
"""The findings that say that something may be none."""
_MOST_BLOCKS = 500
"""Blocks that use blocks twice each are walked 2, 4, 8 … times; nobody has so many on purpose."""

_OF_A_HOLD = frozenset({"reason", "ask"})


def check_flow(view: FileView, surroundings: Surroundings) -> list[Finding]:
    """What cannot go well in the expressions of a rule file, for each of its packet types, or of a block."""
    found: dict[tuple[str, object], Finding] = {}
    for packet_type in view.types or (None,):
        walk = Walk(view, surroundings, packet_type)
        for finding in walk.findings_of_file():
            found.setdefault((finding.code, finding.place), finding)
    return list(found.values())


@dataclass
class Walk:
    """One way through a file."""

    view: FileView
    surroundings: Surroundings
    packet_type: PacketType | None
    blocks: tuple[str, ...] = ()
    """The blocks that lead here."""
    left: list[int] = field(default_factory=lambda: [_MOST_BLOCKS])
    """How many further uses of blocks are walked."""
    known: Mapping[str, Static] = field(default_factory=dict)
    """The names of the packet and the site, where they are known already."""
    findings: list[Finding] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._values = Values(self._report)
        self._known = self.known or known_names(self.packet_type, self.surroundings.configuration, _asked(self.view))
        self._said: set[tuple[str, str]] = set()
        self._own: dict[str, frozenset[tuple[str, object]]] = {}

    def findings_of_file(self) -> list[Finding]:
        """Walks the rules or the block by itself; returns what was found."""
        if self.view.file is not None:
            self._rules(self.view.file)
        elif self.view.block is not None:
            self.block(self.view.block, self._by_default(self.view.block), self._known, Facts())
        return self.findings

    def _by_default(self, block: Block) -> dict[str, Static]:
        """What is known of a block's parameters before it is used: of those that are a row by default, what it has."""
        scope = StaticScope(self._known, {}, {}, self._values.infer, Facts())
        found = dict.fromkeys(block.parameters, Static())
        for name, parameter in block.parameters.items():
            default = self._values.infer(parameter.default, scope, Facts()) if parameter.default else Static()
            # Another default, such as [] or false, says little about what callers give.
            found[name] = default if default.kind == MAPPING and default.attributes is not None else Static()
        return found

    def _rules(self, file: RuleFile) -> None:
        facts, asked = Facts(), set[str]()
        for rule in file.rules:
            self._said.clear()
            scope = StaticScope(self._known, file.variables, {}, self._values.infer, facts)
            holding, facts = self._when(rule.when, scope, facts)
            scope.entry = holding
            after = self._actions(rule.actions, scope, holding)
            self._outcome(rule, rule.outcome, scope, after)
            for notice in rule.notify:
                check_notice(notice, scope, after, self._report)
                self.findings += not_configured(notice, self.surroundings.configuration)
            asked |= scope.asked_variables
        StaticScope(self._known, file.variables, {}, self._values.infer, Facts()).infer_others(asked)

    def block(
        self, block: Block, parameters: Mapping[str, Static], known: Mapping[str, Static], facts: Facts
    ) -> tuple[Facts, StaticScope]:
        """Walks a block with what is known of its parameters; the facts after it, and its names."""
        scope = StaticScope(known, block.variables, parameters, self._values.infer, facts)
        after = self._actions(block.actions, scope, facts)
        scope.infer_others(scope.asked_variables)
        return after, scope

    def _when(self, when: Condition | None, scope: StaticScope, facts: Facts) -> tuple[Facts, Facts]:
        return (facts, facts) if when is None else self._values.condition(when, scope, facts)

    def _actions(self, actions: tuple[Action, ...], scope: StaticScope, facts: Facts) -> Facts:
        for action in actions:
            facts = self._action(action, scope, facts)
        return facts

    def _action(self, action: Action, scope: StaticScope, facts: Facts) -> Facts:
        if action.for_each is not None:
            scope.local["item"] = self._element(action, scope, facts)
        holding, _ = self._when(action.when, scope, facts)
        result, after = self._done(action, scope, holding)
        if action.repetition is not None:
            self._until(action, action.repetition.until, result, scope, after)
        scope.local.pop("item", None)
        always = action.for_each is None and action.when is None and action.on_error != "continue"
        if action.register:
            guard = holding.holding - facts.holding
            skipped = bool(guard) and action.for_each is None
            if skipped:
                result = Static(**{**vars(result), "nothing": Nothing.MAYBE, "why": "its action may be skipped"})
            result = list_of(result) if action.for_each is not None else result
            scope.register(action.register, result, guard if skipped else frozenset())
        return after if always else _forgotten(facts, after, action)

    def _until(self, action: Action, until: Condition, result: Static, scope: StaticScope, facts: Facts) -> None:
        """The condition may use the action's own result, which is registered only once the condition holds."""
        if action.register is not None:
            scope.local[action.register] = result
        self._when(until, scope, facts)
        scope.local.pop(action.register or "", None)

    def _element(self, action: Action, scope: StaticScope, facts: Facts) -> Static:
        assert action.for_each is not None  # noqa: S101 - asked by the caller
        return self._values.element(action.for_each, scope, facts)

    def _done(self, action: Action, scope: StaticScope, facts: Facts) -> tuple[Static, Facts]:
        """What an action registers, and the facts after it."""
        if action.kind == "use":
            return self._use(action, scope, facts)
        schema = self.surroundings.kinds.get(action.kind, {})
        properties = schema.get("properties", {})
        if isinstance(action.params, MappingValue):
            for name, value in action.params.entries:
                inferred = self._values.infer(value, scope, facts)
                # What is written as it is has been checked already.
                if not isinstance(value, Constant | Condition):
                    for finding in check_parameter(name, properties.get(name, {}), inferred, value.place):
                        self._report(finding, "")
        else:
            self._values.infer(action.params, scope, facts)
        if action.kind == "assert" and isinstance(action.params, MappingValue):
            that = next((value for name, value in action.params.entries if name == "that"), None)
            facts = self._when(that, scope, facts)[0] if isinstance(that, Condition) else facts
        if action.kind in ROWS:
            scope.changed = True
            facts = facts.without({action.kind}).and_also({action.kind: False})
        return result_of(action, schema), facts

    def _use(self, action: Action, scope: StaticScope, facts: Facts) -> tuple[Static, Facts]:
        given = {name: self._values.infer(value, scope, facts) for name, value in action.with_.items()}
        name = action.params.value if isinstance(action.params, Constant) else None
        view = self.view.blocks.get(str(name))
        if view is None or view.block is None or name in self.blocks or not self.left[0]:
            return Static(), facts
        self.left[0] -= 1
        walked = partial(self._inside, view, view.block, scope, facts.only(scope.known))
        inside, after, names = walked(given)
        for finding in inside.findings:
            if not self._is_its_own(finding, view):
                self._report(self._as_used(finding, action, given, lambda given: walked(given)[0].findings), "")
        scope.changed = scope.changed or names.changed
        facts = facts.without(ROWS).and_also(dict(after.only(ROWS).empty))
        return Static(MAPPING, Nothing.NEVER, attributes=names.registered, what=f"the result of {name}"), facts

    def _inside(
        self, view: FileView, block: Block, scope: StaticScope, facts: Facts, given: Mapping[str, Static]
    ) -> tuple["Walk", Facts, StaticScope]:
        """A walk through a block with these parameters, the facts after it, and its names."""
        blocks = (*self.blocks, block.name)
        inside = Walk(view, self.surroundings, self.packet_type, blocks, self.left, scope.known)
        defaults = {
            key: inside._values.infer(parameter.default, scope, facts)
            for key, parameter in block.parameters.items()
            if parameter.default is not None and key not in given
        }
        parameters = {**dict.fromkeys(block.parameters, Static()), **defaults, **given}
        return inside, *inside.block(block, parameters, scope.known, facts)

    def _is_its_own(self, finding: Finding, view: FileView) -> bool:
        """Whether something is wrong with a block however it is used."""
        if view.path not in self._own:
            alone = Walk(view, self.surroundings, None, self.blocks, self.left).findings_of_file()
            self._own[view.path] = frozenset((one.code, one.place) for one in alone)
        return (finding.code, finding.place) in self._own[view.path]

    def _as_used(
        self,
        finding: Finding,
        action: Action,
        given: Mapping[str, Static],
        findings_with: Callable[[Mapping[str, Static]], list[Finding]],
    ) -> Finding:
        """What is wrong with a block only as it is used here: said at the parameter without whose value it would not
        be, else at its use. A misspelt attribute of a parameter stays where it stands."""
        place = action.params.place
        for name in given:
            others = findings_with({**given, name: Static()})
            if (finding.code, finding.place) not in {(one.code, one.place) for one in others}:
                if finding.code == "unknown-attribute" and finding.hint.startswith("did you mean"):
                    return finding
                place = action.with_[name].place
                break
        where = f"{finding.place.file}:{finding.place.line}" if finding.place else action.name
        message = printable(f"as it is used here, {where}: {finding.message}")
        return Finding(finding.code, message, place, finding.hint, finding.severity)

    def _outcome(self, rule: Rule, outcome: Outcome, scope: StaticScope, facts: Facts) -> None:
        match outcome:
            case Ending():
                for value in (outcome.text, *outcome.ask.values()):
                    self._values.infer(value, scope, facts)
            case Defer():
                self._values.infer(outcome.reason, scope, facts)
                if outcome.not_before is not None:
                    self._values.infer(outcome.not_before, scope, facts)
            case Reply():
                fields = self._values.infer(outcome.fields, scope, facts) if outcome.fields is not None else None
                if self.packet_type is not None:
                    for finding in check_reply(self.packet_type, self.view, rule, outcome, fields):
                        self._report(finding, "")

    def _report(self, finding: Finding, about: str) -> None:
        if finding.code in ABOUT_NONE and about and finding.severity is Severity.WARNING:
            if (finding.code, about) in self._said:
                return
            self._said.add((finding.code, about))
        self.findings.append(finding)


def _forgotten(before: Facts, after: Facts, action: Action) -> Facts:
    """The facts after an action that may not have been done, or was done several times: nothing new, and no old facts
    about a row that it may have changed."""
    changed = {action.kind} if action.kind in ROWS else set(ROWS) if action.kind == "use" else set()
    kept = before.empty & after.empty
    gone = {(path, empty) for path, empty in before.empty if path.partition(".")[0] in changed} - kept
    return Facts(before.empty - gone, before.holding)


def _asked(view: FileView) -> list[str] | None:
    """The names of the values that the holds of a rule file ask for; None in a block, whose callers ask, and where a
    misspelt key may be an `ask`."""
    if view.file is None:
        return None
    found = (rule.get("hold") for rule in mappings_in(view.root.get("rules")))
    holds = [hold for hold in found if isinstance(hold, MappingNode)]
    if any(hold.keys.keys() - _OF_A_HOLD for hold in holds):
        return None
    asked = (hold.get("ask") for hold in holds)
    return [name for ask in asked if isinstance(ask, MappingNode) for name in ask.keys]
