"""From a rule's outcome to a decision: the reply's body, or why the packet waits, is held or is left alone."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

from amierules.actions.base import unknown_in
from amierules.database.replies import FinalState
from amierules.diagnostics import printable
from amierules.engine.decision import Decision
from amierules.engine.packet_case import PacketCase
from amierules.engine.scope import Scope, unwrapped
from amierules.engine.site import Site
from amierules.protocol.catalogue import catalogue
from amierules.protocol.checks import prepare_outgoing
from amierules.protocol.packet import Packet
from amierules.protocol.values import wire_text
from amierules.rulebook.model import Defer, Ending, Outcome, Reply, Rule
from amierules.templating import EvaluationError, Secret, Unknown, secrets_in

CLOSING = "inform_transaction_complete"
_CLOSING_DEFAULTS: Mapping[str, object] = {"StatusCode": "Success", "DetailCode": "1", "Message": "OK"}


def closing_state(packet: Packet) -> FinalState | None:
    """How a packet that came in ends its transaction; None where it does not end it."""
    if packet.header.type != CLOSING:
        return None
    return "completed" if packet.body.get("StatusCode") == "Success" else "failed"


def decide(site: Site, case: PacketCase, rule: Rule, scope: Scope) -> Decision:
    """What the rule's outcome comes to. Raises `EvaluationError` where one of its expressions fails."""
    outcome: Outcome = rule.outcome
    if isinstance(outcome, Reply):
        return _reply(site, case, outcome, scope)
    if isinstance(outcome, Defer):
        return _defer(case, outcome, scope)
    return _ending(site, case, rule, outcome, scope)


def failure(site: Site, case: PacketCase, message: str) -> Decision:
    """The reply that fails a transaction: `inform_transaction_complete` with StatusCode Failure and DetailCode 2."""
    if case.expects_no_reply():
        return Decision("park", f"{case.type} cannot be failed, it expects no reply: {message}")
    fields = {"StatusCode": "Failure", "DetailCode": "2", "Message": message}
    return _prepared(site, case, "fail", CLOSING, fields, message)


def success(site: Site, case: PacketCase, message: str) -> Decision:
    """The reply that ends a transaction well."""
    return _prepared(site, case, "reply", CLOSING, {**_CLOSING_DEFAULTS, "Message": message or "OK"}, message)


def _reply(site: Site, case: PacketCase, outcome: Reply, scope: Scope) -> Decision:
    type_name = outcome.type or case.only_expected_reply()
    if type_name is None:
        return Decision("park", f"{case.type} expects no reply, or one of several: the rule must give the `type`")
    fields: dict[str, object] = dict(_CLOSING_DEFAULTS) if type_name == CLOSING else {}
    fields |= {tag: case.packet.body[tag] for tag in outcome.copy if tag in case.packet.body}
    if outcome.fields is not None:
        given = outcome.fields.evaluate(scope)
        if isinstance(given, Unknown):
            return Decision("reply", f"known after {given.step}", type_name, {})
        if not isinstance(given, Mapping):
            raise EvaluationError(
                "`fields` must yield a mapping of tags", code="evaluation", place=outcome.fields.place
            )
        secret = next((tag for tag, value in given.items() if secrets_in(value)), None)
        if secret is not None:
            raise EvaluationError(f"{printable(secret)}: a reply must not hold a secret", code="secret-used")
        fields |= {str(tag): unwrapped(value) for tag, value in given.items()}
    return _prepared(site, case, "reply", type_name, fields, "")


def _prepared(
    site: Site, case: PacketCase, kind: str, type_name: str, fields: Mapping[str, object], reason: str
) -> Decision:
    """The decision to send these fields, or to park the packet where AMIE would not take them."""
    unknown = {tag: value for tag, value in fields.items() if unknown_in(value)}
    prepared = prepare_outgoing(
        type_name,
        fields,
        charset=site.configuration.charset,
        reply=True,
        request=case.packet.body,
        pending=unknown,
    )
    body = {**prepared.body, **unknown}
    if prepared.problems:
        return Decision("park", "; ".join(problem.message for problem in prepared.problems), type_name, body)
    return Decision(kind, reason, type_name, body, notes=tuple(prepared.notes))


def _ending(site: Site, case: PacketCase, rule: Rule, outcome: Ending, scope: Scope) -> Decision:
    text = text_of(outcome.text.evaluate(scope))
    if outcome.kind == "fail":
        return failure(site, case, text)
    asked = {name: text_of(value.evaluate(scope)) for name, value in outcome.ask.items()}
    return Decision(outcome.kind, text, approvable=rule.name if outcome.kind == "hold" else None, asked=asked)


def _defer(case: PacketCase, outcome: Defer, scope: Scope) -> Decision:
    not_before = None if outcome.not_before is None else _moment(outcome.not_before.evaluate(scope))
    at_most = timedelta(seconds=outcome.at_most) if outcome.at_most is not None else _default_patience(case)
    since = case.first_deferred_at or case.now
    return Decision("defer", text_of(outcome.reason.evaluate(scope)), not_before=not_before, until=since + at_most)


def default_deferral(case: PacketCase, reason: str) -> Decision:
    """A deferral as a plain `defer: TEXT` makes it."""
    return Decision("defer", reason, until=(case.first_deferred_at or case.now) + _default_patience(case))


def _default_patience(case: PacketCase) -> timedelta:
    """The packet's reply timeout less a day."""
    known = catalogue().types.get(case.type)
    replies = (*case.packet.header.expected_replies, *(known.expected_replies if known else ()))
    timeouts = [reply.timeout for reply in replies if reply.timeout]
    return timedelta(minutes=timeouts[0] if timeouts else 30240) - timedelta(days=1)


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    if value is None or isinstance(value, Unknown):
        return None
    raise EvaluationError("`not_before` must be a date or a datetime", code="evaluation")


def text_of(value: object) -> str:
    """A reason as text; one that is not known yet says so. Raises `EvaluationError` for what is no text."""
    if isinstance(value, Unknown):
        return f"(known after {value.step})"
    if isinstance(value, Secret):
        raise EvaluationError("a reason must not hold a secret", code="secret-used")
    if value is None or isinstance(value, list | Mapping):
        what = "none" if value is None else "a list or mapping"
        raise EvaluationError(f"the reason is {what}, where a text is needed", code="not-text")
    return wire_text(value)
