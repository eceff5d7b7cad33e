"""`send`: a packet of our own that a person starts a transaction with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from amierules.actions.base import ActionError
from amierules.actions.send_packet import prepare
from amierules.database import events
from amierules.database.originating import Originated, originate
from amierules.diagnostics import Finding, Invalid, Severity, printable
from amierules.diagnostics.suggest import hint_for
from amierules.engine.site import Site
from amierules.protocol.catalogue import PacketType, TagKind, catalogue
from amierules.protocol.json_text import parse_json, plain_json


@dataclass(frozen=True)
class ToSend:
    """A packet as a person asks for it."""

    type: str
    fields: Mapping[str, Any]
    to: str | None
    """The site that gets it; None where the configuration knows only one."""
    reason: str


def send(site: Site, wanted: ToSend) -> tuple[Originated, str, list[Finding]]:
    """Starts a transaction, in one commit; returns it, the site that gets it, and notes.

    Raises `Invalid` where AMIE would not take the packet.
    """
    type_ = packet_type(wanted.type)
    remote = _remote(site, wanted.to)
    _refuse_unknown_tags(type_, wanted.fields)
    try:
        prepared = prepare(type_.name, wanted.fields, site.configuration.charset, {})
    except ActionError as error:
        raise Invalid(Finding("cannot-be-sent", str(error))) from error
    if prepared.problems:
        raise Invalid([Finding(problem.code, problem.message) for problem in prepared.problems])
    now = site.world.clock.now().replace(microsecond=0)
    with site.database.begin() as connection:
        made = originate(
            connection,
            type_name=type_.name,
            body=prepared.body,
            site_name=site.name,
            remote_site_name=remote,
            now=now,
        )
        events.add(connection, made.packet_rec_id, site.who, "sent", wanted.reason, now)
    return made, remote, [Finding("sent-otherwise", note, severity=Severity.NOTE) for note in prepared.notes]


def packet_type(name: str) -> PacketType:
    """The packet type with which a site starts a transaction. Raises `Invalid`."""
    known = catalogue().types
    ours = [type_.name for type_ in known.values() if type_.direction == "from_site"]
    if name not in known:
        raise Invalid(
            Finding("unknown-packet-type", f"'{printable(name, 60)}' is no packet type", hint=hint_for(name, ours))
        )
    if name not in ours:
        hint = f"possible: {', '.join(sorted(ours))}"
        raise Invalid(
            Finding("cannot-be-sent", f"{name} is no packet with which a site starts a transaction", hint=hint)
        )
    return known[name]


def fields_of(given: Iterable[str], file: tuple[str, bytes] | None) -> dict[str, Any]:
    """The fields of `TAG=VALUE` texts, over those of a JSON file (its name and content).

    A list tag may be given several times; an object is given as JSON. Raises `Invalid`.
    """
    fields: dict[str, Any] = {} if file is None else _fields_of_file(*file)
    named: set[str] = set()
    for text in given:
        tag, equals, value = text.partition("=")
        if not equals or not tag:
            raise Invalid(Finding("usage", f"'{printable(text, 60)}' is not TAG=VALUE"))
        known = catalogue().tag(tag)
        kind = known.kind if known else TagKind.TEXT
        if tag in named and kind not in (TagKind.LIST, TagKind.OBJECTS):
            raise Invalid(Finding("duplicate-key", f"{printable(tag, 40)} is given twice, and it is no list"))
        item = _json(tag, value) if kind in (TagKind.OBJECT, TagKind.OBJECTS) else value
        if kind in (TagKind.LIST, TagKind.OBJECTS):
            fields[tag] = [*(fields[tag] if tag in named else []), item]
        else:
            fields[tag] = item
        named.add(tag)
    return fields


def _fields_of_file(name: str, content: bytes) -> dict[str, Any]:
    data, finding = parse_json(content, name)
    if finding is not None:
        raise Invalid(finding)
    if not isinstance(data, dict):
        raise Invalid(Finding("not-a-mapping", f"{printable(name)} holds no JSON object of tags"))
    return cast(dict[str, Any], plain_json(data))


def _json(tag: str, text: str) -> Any:
    data, finding = parse_json(text, tag)
    if finding is not None or not isinstance(data, dict):
        raise Invalid(Finding("not-a-mapping", f"{tag}: '{printable(text, 60)}' is no JSON object"))
    return plain_json(data)


def _remote(site: Site, to: str | None) -> str:
    sites = site.configuration.remote_site_names
    if to is None and len(sites) == 1:
        return sites[0]
    if to not in sites:
        what = "say which site gets it, with --to" if to is None else f"'{printable(to, 40)}' is no remote site"
        raise Invalid(Finding("unknown-site", what, hint=f"the configuration has {', '.join(sites)}"))
    return to


def _refuse_unknown_tags(type_: PacketType, fields: Mapping[str, Any]) -> None:
    unknown = [tag for tag in fields if catalogue().tag(tag) is None]
    if unknown:
        findings = [(tag, hint_for(tag, type_.allowed)) for tag in unknown]
        raise Invalid(
            [Finding("unknown-tag", f"'{printable(tag, 40)}' is no tag of AMIE", hint=hint) for tag, hint in findings]
        )
