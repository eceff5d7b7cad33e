"""The kind `send_packet`: start a transaction of our own."""

from collections.abc import Mapping
from typing import Any

from amierules.actions.base import ActionError, Change, Doubt, Params, Plan, Surroundings, unknown_in
from amierules.diagnostics import printable
from amierules.protocol.catalogue import catalogue
from amierules.protocol.charset import Charset
from amierules.protocol.outgoing import Prepared, prepare_outgoing


def doubt(params: Params) -> Doubt:
    """The packet is written with the packet's end."""
    return Doubt.STAGED


def target(params: Params) -> str:
    """Every step looks for itself."""
    return ""


def probe(params: Params, surroundings: Surroundings) -> object:
    """Nothing tells whether a packet was sent already, but the journal."""
    return None


def plan(params: Params, state: object, surroundings: Surroundings) -> Plan:
    """The packet as it will be sent. Raises `ActionError` where AMIE would not take it."""
    defaults = surroundings.defaults.get("send_packet", {})
    fields, to = params["fields"], params.get("to")
    sites = defaults.get("remote_site_names", ())
    if to is not None and to not in sites:
        raise ActionError(f"to: {printable(to, 40)} is no remote site of the configuration ({', '.join(sites)})")
    unknown = {tag: value for tag, value in fields.items() if unknown_in(value)}
    prepared = prepare(params["type"], fields, defaults.get("charset", "transliterate"), unknown)
    if prepared.problems:
        raise ActionError("; ".join(problem.message for problem in prepared.problems))
    body = {**prepared.body, **unknown}
    summary = f"send {params['type']}{f' to {to}' if to else ''}"
    change = Change(summary, "create", f"transaction with {params['type']}", before=None, after=body)
    return Plan((change,), "; ".join(prepared.notes), result={"type": params["type"], "to": to, "body": body})


def apply(params: Params, plan: Plan, surroundings: Surroundings) -> object:
    """Nothing yet: the engine writes the packet in its final commit."""
    return plan.result


def prepare(type_name: str, fields: Mapping[str, Any], charset: Charset, pending: Mapping[str, Any]) -> Prepared:
    """The body of a packet that starts a transaction. Raises `ActionError` for a type with which no site starts one."""
    known = catalogue().types.get(type_name)
    if known is not None and known.direction != "from_site":
        raise ActionError(f"type: {type_name} is no packet with which a site starts a transaction")
    return prepare_outgoing(type_name, fields, charset=charset, reply=False, pending=pending)
