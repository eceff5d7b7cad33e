"""Messages: whether their parameters and templates can go well, in a rule and by a packet's status."""

from collections.abc import Iterable

from amierules.diagnostics import Finding, Severity
from amierules.protocol.catalogue import catalogue
from amierules.rulebook.checks.packet_types import ROWS, known_names
from amierules.rulebook.checks.parameters import check_parameter
from amierules.rulebook.checks.scope import StaticScope
from amierules.rulebook.checks.values import Report, Values
from amierules.rulebook.compiled import Constant, MappingValue
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.model import Condition, Notice
from amierules.rulebook.notices import NOTICE_NAMES, channel_schema, said_of
from amierules.rulebook.scopes import Scopes
from amierules.templating import Facts, Nothing, Static
from amierules.templating.static import A_TEXT
from amierules.templating.values import TEXT

_IN_A_RULE = dict.fromkeys(NOTICE_NAMES, A_TEXT)
_BY_STATUS = {**_IN_A_RULE, "rule": Static(TEXT, Nothing.MAYBE, why="no rule may have matched")}
_NOT_BY_STATUS = (*ROWS, "find_person")
"""Names that only rules have: a packet may be parked because nobody knows its rows."""


def check_notice(notice: Notice, scope: StaticScope, facts: Facts, report: Report) -> None:
    """What cannot go well in a message of a rule; `facts` are those at the rule's outcome."""
    ours = {name: value for name, value in _IN_A_RULE.items() if name not in scope.local}
    scope.local.update(ours)
    _check(notice, scope, facts, report)
    for name in ours:
        del scope.local[name]


def not_configured(notice: Notice, configuration: Configuration | None) -> Iterable[Finding]:
    """A warning where the configuration does not say by which way a message would go."""
    if configuration is None:
        return
    channels, given = configuration.channels, notice.params.entries if isinstance(notice.params, MappingValue) else ()
    if notice.channel == "mail" and channels.mail is None:
        hint = "add mail: {host: ..., from: ...} to amierules.yaml"
        yield Finding("not-configured", "no server for mails is configured", notice.place, hint, Severity.WARNING)
    if notice.channel == "slack" and channels.slack_webhook is None and "webhook" not in dict(given):
        hint = "add secrets: {slack: {env: SLACK_WEBHOOK}} to amierules.yaml"
        yield Finding("not-configured", "no webhook of Slack is configured", notice.place, hint, Severity.WARNING)


def _check(notice: Notice, scope: StaticScope, facts: Facts, report: Report) -> None:
    values = Values(lambda finding, about: report(said_of(notice, finding), about))
    if notice.for_each is not None:
        scope.local["item"] = values.element(notice.for_each, scope, facts)
    holding = facts if notice.when is None else values.condition(notice.when, scope, facts)[0]
    properties = channel_schema(notice.channel)["properties"]
    for name, value in notice.params.entries if isinstance(notice.params, MappingValue) else ():
        inferred = values.infer(value, scope, holding)
        if not isinstance(value, Constant | Condition):
            for finding in check_parameter(name, properties.get(name, {}), inferred, value.place):
                report(said_of(notice, finding), "")
    scope.local.pop("item", None)


def check_status_notices(configuration: Configuration) -> Iterable[Finding]:
    """What is wrong with the messages that the configuration sends by a packet's status."""
    all_names = known_names(None, configuration, None)
    known = {name: value for name, value in all_names.items() if name not in _NOT_BY_STATUS} | _BY_STATUS
    scopes = Scopes(catalogue())
    found: dict[tuple[str, object], Finding] = {}

    def report(finding: Finding, _about: str) -> None:
        found.setdefault((finding.code, finding.place), finding)

    for notices in configuration.channels.by_status.values():
        scopes.notices(notices, known)
        for notice in notices:
            # The names of the packet's type are known only once there is one.
            scope = StaticScope(known, {}, {}, lambda _value, _scope, _facts: Static(), Facts())
            _check(notice, scope, Facts(), report)
            for finding in not_configured(notice, configuration):
                report(finding, "")
    return [*scopes.findings, *found.values()]
