"""Jobs and storage measurements to records: which rule, whose project, which resource, and what is charged."""

import json
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from amierules.diagnostics import printable
from amierules.rulebook.configuration import Configuration
from amierules.usage.fields import JobRow
from amierules.usage.model import DIGITS, UsageRule
from amierules.usage.people import Book
from amierules.usage.problem import Refusal
from amierules.usage.values import Function, Functions, Resource, Scope, as_resource

_MOST = 9 * 10**18
"""Millionths that the ledger can hold."""
_REMEMBERED = 100_000

Charged = tuple[str, str, str, str, int, str | None]
"""rule, project_id, resource, username, charge in millionths, fields (JSON or None): the ledger's further columns."""


class Ignored(Exception):
    """A rule says that it is not reported."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


class _Rule(NamedTuple):
    name: str
    when: Function | None
    ignore: Function | None
    charge: Function | None
    project: Function | None
    login: Function | None
    resource: Function | None
    minimum: Function | None
    amount: Callable[[Decimal], int]
    fields: tuple[tuple[str, Function], ...]


class _Who(NamedTuple):
    """What an account on a cluster is to us."""

    scope: Scope
    resource: str | None
    why_no_resource: str


class Charger:
    """Applies the rules of one kind of rows."""

    def __init__(
        self, rules: Sequence[UsageRule], functions: Functions, book: Book, configuration: Configuration
    ) -> None:
        self._rules = [_compiled(rule, functions) for rule in rules]
        self._book = book
        self._resources = {name: as_resource(name, values) for name, values in configuration.resources.items()}
        self._by_cluster: dict[str, list[str]] = {}
        for name, values in configuration.resources.items():
            self._by_cluster.setdefault(str(values.get("cluster", "")), []).append(name)
        self._who: dict[tuple[str, str], _Who] = {}
        self._logins: dict[tuple[str, str, str], str | None] = {}

    def charged(self, row: Any, cluster: str, account: str, login: str, resource: str | None = None) -> Charged:
        """The record of a row. `resource` is the one that the row names itself.

        Raises `Ignored`, and `Refusal` where nothing can be reported.
        """
        who = self._who.get((account, cluster)) or self._find_who(account, cluster)
        scope = who.scope if resource is None else Scope(who.scope.project, self._resources.get(resource))
        for rule in self._rules:
            if rule.when is None or rule.when(row, scope):
                break
        else:
            raise Refusal("no-rule", "no rule is for it")
        if rule.ignore is not None:
            raise Ignored(rule.name, str(rule.ignore(row, scope)))
        name = self._resource_of(rule, row, scope, who, resource)
        if name != who.resource:
            scope = Scope(scope.project, self._resources.get(name))
        project_id = _text(rule.project(row, scope), "project") if rule.project else self._project_id(account, scope)
        user = _text(rule.login(row, scope), "login") if rule.login else self._login(login, project_id, name)
        charge = self._charge(rule, row, scope)
        fields = None
        if rule.fields:
            fields = json.dumps({tag: _plain(value(row, scope)) for tag, value in rule.fields}, ensure_ascii=False)
        return rule.name, project_id, name, user, charge, fields

    def job(self, job: JobRow) -> Charged:
        """The record of a job; as `charged`."""
        return self.charged(job, job[0], job[7], job[8])

    def _find_who(self, account: str, cluster: str) -> _Who:
        names = self._by_cluster.get(cluster, [])
        resource: Resource | None = self._resources[names[0]] if len(names) == 1 else None
        shown = printable(cluster, 60)
        why = f"the cluster {shown} is that of {len(names)} resources: the rule must say which"
        if not names:
            why = f"no resource of the configuration has the cluster '{shown}'"
        found = _Who(Scope(self._book.project(account), resource), names[0] if len(names) == 1 else None, why)
        if len(self._who) < _REMEMBERED:
            self._who[account, cluster] = found
        return found

    def _resource_of(self, rule: _Rule, row: Any, scope: Scope, who: _Who, given: str | None) -> str:
        name = given if rule.resource is None else _text(rule.resource(row, scope), "resource")
        name = name or who.resource
        if name is None:
            raise Refusal("no-resource", who.why_no_resource)
        if name not in self._resources:
            raise Refusal("no-resource", f"the configuration has no resource '{printable(name, 60)}'")
        return name

    def _project_id(self, account: str, scope: Scope) -> str:
        if scope.project is None:
            raise Refusal("no-project", f"the registry has no project whose group or id is '{printable(account, 60)}'")
        return str(scope.project["project_id"])

    def _login(self, login: str, project_id: str, resource: str) -> str:
        key = (login, project_id, resource)
        found = self._logins.get(key, "")
        if found == "":
            found = self._book.login(login, project_id, resource)
            if len(self._logins) < _REMEMBERED:
                self._logins[key] = found
        if found is None:
            whom = f"'{printable(login, 60)}'" if login else "the PI"
            reason = f"{whom} has no account on {printable(project_id, 60)} on {printable(resource, 60)}"
            raise Refusal("no-account", reason)
        return found

    def _charge(self, rule: _Rule, row: Any, scope: Scope) -> int:
        assert rule.charge is not None  # noqa: S101 - the schema asks for one of two
        value = _decimal(rule.charge(row, scope), "charge")
        if value < 0:
            raise Refusal("charge", f"the charge is negative: {value}")
        if rule.minimum is not None and value > 0:
            value = max(value, _decimal(rule.minimum(row, scope), "minimum"))
        amount = rule.amount(value)
        if amount > _MOST:
            raise Refusal("charge", "the charge is too large")
        return amount


def _compiled(rule: UsageRule, functions: Functions) -> _Rule:
    return _Rule(
        name=rule.name,
        when=functions.condition(rule.when),
        ignore=functions.value(rule.ignore),
        charge=functions.value(rule.charge),
        project=functions.value(rule.project),
        login=functions.value(rule.login),
        resource=functions.value(rule.resource),
        minimum=functions.value(rule.minimum),
        amount=_amount(rule.digits, rule.rounding),
        fields=tuple((tag, function) for tag, value in rule.fields.items() if (function := functions.value(value))),
    )


def _amount(digits: int, rounding: str) -> Callable[[Decimal], int]:
    scale: int = 10 ** (DIGITS - digits)

    def millionths(value: Decimal) -> int:
        try:
            return int(value.scaleb(digits).to_integral_value(rounding)) * scale
        except (ArithmeticError, ValueError, OverflowError) as error:
            raise Refusal("charge", f"the charge {value} cannot be rounded") from error

    return millionths


def _decimal(value: object, what: str) -> Decimal:
    if type(value) is Decimal:
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value))
    raise Refusal("charge", f"the {what} is no number: {printable(value, 60)}")


def _text(value: object, what: str) -> str:
    if not isinstance(value, str) or not value:
        raise Refusal("rule", f"the {what} is no text: {printable(value, 60)}")
    return value


def _plain(value: object) -> Any:
    return str(value) if isinstance(value, Decimal) else value


def units(charge: int) -> Decimal:
    """A charge of the ledger in units."""
    return Decimal(charge).scaleb(-DIGITS)


def shown_units(charge: int | Decimal) -> str:
    """A charge as AMIE and people read it: plain decimal notation without needless zeros."""
    value = units(charge) if isinstance(charge, int) else charge
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
