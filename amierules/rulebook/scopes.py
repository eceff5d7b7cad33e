"""Whether each name that an expression uses exists where it stands."""

from collections.abc import Collection, Iterable, Mapping

from amierules.diagnostics import Finding, Severity, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.protocol.catalogue import Catalogue
from amierules.rulebook.circles import circles
from amierules.rulebook.compiled import used_names
from amierules.rulebook.model import Action, Block, Compiled, Defer, Ending, Notice, Outcome, Reply, Rule, RuleFile
from amierules.rulebook.naming import BUILT_IN, OF_THE_LANGUAGE
from amierules.rulebook.notices import NOTICE_NAMES, said_of
from amierules.rulebook.positions import name_place
from amierules.templating import name_hint

_ALWAYS = BUILT_IN | OF_THE_LANGUAGE


class Scopes:
    """Checks the names of one file."""

    def __init__(self, catalogue: Catalogue, amiss: Collection[str] = ()) -> None:
        """`amiss` are names that are registered in a wrong way, which is found elsewhere."""
        self.findings: list[Finding] = []
        self._catalogue = catalogue
        self._elsewhere: Collection[str] = ()
        """What other rules of the file register."""
        self._always = _ALWAYS | set(amiss)

    def rule_file(self, file: RuleFile) -> None:
        """Variables, conditions, actions and outcomes of all rules."""
        known = self._always | set(file.variables)
        self._variables(file.variables, known)
        for rule in file.rules:
            others = (action for other in file.rules if other is not rule for action in other.actions)
            self._elsewhere = {action.register for action in others if action.register}
            self._check(rule.when, known)
            afterwards = self._actions(rule.actions, known)
            for value in _values_of(rule.outcome):
                self._check(value, afterwards)
            self.notices(rule.notify, afterwards)
        self._unreachable(file.rules)

    def block(self, block: Block) -> None:
        """Parameters, variables and actions of a block."""
        for parameter in block.parameters.values():
            self._check(parameter.default, _ALWAYS)
        known = self._always | set(block.parameters) | set(block.variables)
        self._variables(block.variables, known)
        self._actions(block.actions, known)

    def notices(self, notices: Iterable[Notice], known: Collection[str]) -> None:
        """Conditions, lists and parameters of messages, which see a few names more; templates that they name, too."""
        names = NOTICE_NAMES.union(known)
        for notice in notices:
            before = len(self.findings)
            self._check(notice.for_each, names)
            here = names | {"item"} if notice.for_each is not None else names
            for value in (notice.when, notice.params):
                self._check(value, here)
            self.findings[before:] = [said_of(notice, finding) for finding in self.findings[before:]]

    def _variables(self, variables: Mapping[str, Compiled], known: Collection[str]) -> None:
        for value in variables.values():
            self._check(value, known)
        needs = {name: {used for used, _ in used_names(value)} & set(variables) for name, value in variables.items()}
        for circle in circles(needs):
            first = variables[circle[0]]
            message = f"these vars need each other in a circle: {' -> '.join(circle)}"
            self.findings.append(Finding("vars-circle", printable(message), first.place))

    def _actions(self, actions: Iterable[Action], known: Collection[str]) -> set[str]:
        """Checks the actions in order; returns the names that exist after the last."""
        actions = list(actions)
        later = {action.register for action in actions if action.register}
        here = set(known)
        for action in actions:
            later.discard(action.register or "")
            self._check(action.for_each, here, later)
            if action.for_each is not None:
                here.add("item")
            for value in (action.when, action.params, *action.with_.values()):
                self._check(value, here, later)
            if action.repetition is not None:
                own = {action.register} if action.register else set()
                self._check(action.repetition.until, here | own, later)
            here.discard("item")
            if action.register:
                here.add(action.register)
        return here

    def _check(self, value: Compiled | None, known: Collection[str], later: Collection[str] = ()) -> None:
        for name, node in used_names(value):
            if name not in known:
                place = name_place(node, name)
                message = f"'{printable(name, 60)}' is not defined here"
                self.findings.append(Finding("unknown-name", message, place, self._hint(name, known, later)))

    def _hint(self, name: str, known: Collection[str], later: Collection[str]) -> str:
        if name in later:
            return "it is registered by a later action"
        if name in self._elsewhere:
            return "another rule registers it; rules share only vars"
        if name == "item":
            return "'item' exists only in an action with for_each"
        if self._catalogue.tag(name) is not None:
            return f"write packet.{name}"
        if foreign := name_hint(name):
            return foreign
        meant = did_you_mean(name, known)
        return f"did you mean '{printable(meant, 60)}'?" if meant else ""

    def _unreachable(self, rules: tuple[Rule, ...]) -> None:
        always = next((rule for rule in rules if rule.when is None), None)
        if always is None or always is rules[-1] or _can_be_passed(always):
            return
        after = rules[rules.index(always) + 1]
        message = f"this rule is never asked: '{printable(always.name, 60)}' before it has no 'when' and always applies"
        self.findings.append(Finding("unreachable-rule", message, after.place, severity=Severity.WARNING))


def _can_be_passed(rule: Rule) -> bool:
    """`approve` passes a hold over."""
    return isinstance(rule.outcome, Ending) and rule.outcome.kind == "hold"


def _values_of(outcome: Outcome) -> tuple[Compiled | None, ...]:
    match outcome:
        case Reply():
            return (outcome.fields,)
        case Ending():
            return outcome.text, *outcome.ask.values()
        case Defer():
            return outcome.reason, outcome.not_before
