"""What is wrong with usage rules, said before there is a job: outcomes, names, kinds, resources."""

from collections.abc import Collection, Iterable, Iterator, Mapping

from amierules.diagnostics import Finding, printable
from amierules.diagnostics.suggest import hint_for
from amierules.rulebook.checks.packet_types import resource as static_resource
from amierules.rulebook.checks.packet_types import site as static_site
from amierules.rulebook.checks.scope import StaticScope
from amierules.rulebook.checks.values import Values
from amierules.rulebook.compiled import Constant, used_names
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.model import Compiled
from amierules.rulebook.naming import OF_THE_LANGUAGE
from amierules.rulebook.nodes import MappingNode
from amierules.rulebook.positions import name_place
from amierules.templating import Facts, Nothing, Static
from amierules.templating.static import A_NUMBER, A_TEXT
from amierules.templating.values import DATETIME, MAPPING, NUMBER, TEXT
from amierules.usage.fields import JOB, STORAGE
from amierules.usage.model import UsageRule

OUTCOMES = ("charge", "ignore")
PROJECT = {
    "project_id": Static(TEXT, Nothing.NEVER),
    "grant_number": Static(TEXT),
    "group": Static(TEXT),
    "gid": Static(NUMBER),
    "title": Static(TEXT),
    "data": Static(MAPPING, Nothing.NEVER),
}
"""What rules see of a project."""
_STORAGE_KINDS = {"time": Static(DATETIME, Nothing.NEVER), "bytes": A_NUMBER, "files": Static(NUMBER)}


def check_outcome(rule: MappingNode) -> Iterator[Finding]:
    """Whether a rule has exactly one outcome."""
    present = [key for key in rule.keys if key in OUTCOMES]
    if not present:
        yield Finding("no-outcome", "this rule has no outcome", rule.place, "end it with charge or ignore")
    if len(present) > 1:
        message = "this rule has 2 outcomes: charge, ignore"
        yield Finding("several-outcomes", message, rule.key_place(present[1]), "a rule has exactly one")


def check_values(
    variables: Mapping[str, Compiled],
    rules: Mapping[str, Iterable[UsageRule]],
    configuration: Configuration | None,
) -> list[Finding]:
    """What cannot go well in the expressions of a file; `rules` are those under `jobs` and under `storage`."""
    findings: list[Finding] = []
    unused = dict(variables)
    values = Values(lambda finding, _about: findings.append(finding))
    for what, listed in rules.items():
        known = _known(what, configuration)
        facts = Facts()
        for rule in listed:
            scope = StaticScope(known, variables, {}, values.infer, facts)
            used = _used(rule, variables)
            findings += _names([*_asked(rule), *used.values()], {*known, *variables})
            unused = {name: value for name, value in unused.items() if name not in used}
            holding, facts = (facts, facts) if rule.when is None else values.condition(rule.when, scope, facts)
            scope.entry = holding
            for value in _parts(rule):
                values.infer(value, scope, holding)
            findings += _kinds(rule, values, scope, holding)
            findings += _resource(rule.resource, configuration)
    everywhere = {name for what in rules for name in _known(what, configuration)}
    findings += _names(unused.values(), {*everywhere, *variables})
    return list(dict.fromkeys(findings))


def _known(what: str, configuration: Configuration | None) -> dict[str, Static]:
    job = Static(MAPPING, Nothing.NEVER, {name: one.static for name, one in JOB.items()}, what="a job")
    measured = {name: _STORAGE_KINDS.get(name, A_TEXT) for name in STORAGE}
    more = {"more": Static(MAPPING, Nothing.NEVER, what="the further columns")}
    storage = Static(MAPPING, Nothing.NEVER, measured | more, what="a storage measurement")
    why = "the account may be no project's"
    resource = static_resource(configuration, Nothing.UNSURE)
    return {
        **({"job": job} if what == "jobs" else {"storage": storage}),
        "project": Static(MAPPING, Nothing.MAYBE, PROJECT, what="a project", why=why),
        "resource": resource,
        "site": static_site(configuration),
    }


def _parts(rule: UsageRule) -> Iterator[Compiled]:
    listed = (rule.charge, rule.ignore, rule.project, rule.login, rule.resource, rule.minimum, *rule.fields.values())
    yield from (value for value in listed if value is not None)


def _names(values: Iterable[Compiled], names: Collection[str]) -> Iterator[Finding]:
    for value in values:
        for name, node in used_names(value):
            if name not in names and name not in OF_THE_LANGUAGE:
                message = f"'{printable(name, 60)}' is not defined here"
                hint = f"write job.{name}" if name in JOB else hint_for(name, sorted(names))
                yield Finding("unknown-name", message, name_place(node, name), hint)


def _used(rule: UsageRule, variables: Mapping[str, Compiled]) -> dict[str, Compiled]:
    """The variables that a rule uses, by way of others too: those that speak of a job are nothing to storage."""
    used: dict[str, Compiled] = {}
    values = _asked(rule)
    while values:
        named = {name for name, _ in used_names(values.pop())}
        new = {name: variables[name] for name in sorted(named) if name in variables and name not in used}
        used |= new
        values += new.values()
    return used


def _asked(rule: UsageRule) -> list[Compiled]:
    return [*_parts(rule), *([rule.when] if rule.when is not None else [])]


def _kinds(rule: UsageRule, values: Values, scope: StaticScope, facts: Facts) -> Iterator[Finding]:
    silent = Values(lambda _finding, _about: None)
    for key, value in (("charge", rule.charge), ("minimum", rule.minimum)):
        found = silent.infer(value, scope, facts) if value is not None else A_NUMBER
        if found.kind not in (NUMBER, None):
            message = f"'{key}' is a number, and this is {found.kind}"
            hint = 'write one expression: "{{ job.cpus * job.hours }}"' if found.kind == TEXT else ""
            yield Finding("not-a-number", message, value.place if value is not None else None, hint)


def _resource(value: Compiled | None, configuration: Configuration | None) -> Iterator[Finding]:
    name = value.value if isinstance(value, Constant) else None
    if value is None or configuration is None or not isinstance(name, str) or name in configuration.resources:
        return
    hint = hint_for(name, configuration.resources)
    message = f"the configuration has no resource '{printable(name, 60)}'"
    yield Finding("unknown-resource", message, value.place, hint)
