"""A packet of the past as a test file gives it: with what came before it, the registry, and what people decided."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from amierules.database.approvals import Approval
from amierules.engine.registry.export import exported_rows
from amierules.engine.registry.stock import Stock
from amierules.engine.site import Site
from amierules.protocol.catalogue import catalogue
from amierules.protocol.json_form import packet_as_json
from amierules.protocol.packet import Packet
from amierules.rulebook.yaml_writing import AsWritten
from amierules.testing.replay.hiding import Hider
from amierules.testing.replay.past import BY_HAND, Past
from amierules.testing.replay.pseudonyms import Pseudonyms

_FAILURES = {"retrying": "transient", "in_doubt": "in_doubt"}
"""How a step failed, by the status of its packet; for good in all others."""
_TRIES = re.compile(r"failed \d+ times: ")


def hider_of(site: Site, past: Past, rows: Mapping[str, Any]) -> Hider:
    """What hides the people of the packet, of its transaction and of the registry rows."""
    hider = Hider(Pseudonyms(site.configuration.logins.prefix))
    logins = [row["login"] for name in ("persons", "accounts") for row in rows.get(name, ()) if row.get("login")]
    for packet in (past.case.packet, *past.case.earlier):
        hider.learn(packet.body)
    for row in (row for listed in rows.values() for row in listed):
        hider.learn(row)
    for step in past.steps.values():
        for change in step.staged or ():
            # Whom the packet made.
            after = change["after"] or {}
            hider.learn({name: after[name] for name in ("global_id", "logins", "dns") if after.get(name)})
            hider.learn({"person_id": after["person_id"]} if after.get("person_id") else {})
            logins += [after["login"]] if after.get("login") else after.get("logins") or []
    hider.keep_order(logins)
    return hider


def rows_of(past: Past) -> dict[str, list[dict[str, Any]]]:
    """The registry before, as a test file gives it; with real names."""
    sections, _ = exported_rows(Stock(past.rows))
    return {name: rows for name, rows in sections.items() if rows}


def given_of(site: Site, past: Past, rows: Mapping[str, Any], hider: Hider) -> dict[str, Any]:
    """What the test is given beside the world outside."""
    seen = past.case.pinned.settings if past.case.pinned is not None else {}
    present = site.configuration.settings
    differ = {name: value for name, value in seen.items() if name in present and present[name] != value}
    registry = {name: [hider.hidden(row) for row in listed] for name, listed in rows.items()}
    earlier = [_earlier(packet, hider) for packet in past.case.earlier]
    clock = AsWritten(past.now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    given = {"settings": differ, "clock": clock, "registry": registry, "earlier": earlier}
    return {name: one for name, one in given.items() if one}


def packet_of(site: Site, packet: Packet, hider: Hider) -> dict[str, Any]:
    """The packet, with what of its header is not as usual."""
    header, theirs = packet.header, site.configuration.remote_site_names[0]
    whole = packet_as_json(packet)
    usual = catalogue().types.get(header.type)
    expected = [reply.type for reply in usual.expected_replies] if usual else []
    said: dict[str, Any] = {"packet_timestamp": AsWritten(header.timestamp.strftime("%Y-%m-%dT%H:%M:%SZ"))}
    said |= {"remote_site_name": header.remote_site_name} if header.remote_site_name != theirs else {}
    said |= {"originating_site_name": header.originating_site_name} if header.originating_site_name != theirs else {}
    if [reply.type for reply in header.expected_replies] not in ([], expected):
        said["expected_reply_list"] = whole["header"]["expected_reply_list"]
    return {"type": header.type, "body": hider.hidden(packet.body), "header": said}


def _earlier(packet: Packet, hider: Hider) -> dict[str, Any]:
    header = packet.header
    known = catalogue().types.get(header.type)
    by_type = known is not None and known.direction == "from_site"
    ours = {} if header.outgoing == by_type else {"ours": header.outgoing}
    return {"type": header.type, "body": hider.hidden(packet.body), **ours}


def failures_of(past: Past, paths: Iterable[str], hider: Hider) -> list[dict[str, Any]]:
    """The steps that did not succeed, as the test scripts them; `paths` are those of the steps that there are."""
    kind = _FAILURES.get(past.item.status, "permanent")
    found = []
    for step in past.failed:
        is_own = step.path == next((row.path for row in reversed(past.failed)), None)
        says = step.reason or _told_by_packet(past, step.path) or "nobody knows how it ended"
        one = {"step": step.path, "is": kind if is_own else "permanent", "says": hider.text(says)}
        found.append(one if step.changes else {**one, "when": "probe"})
    known = {step.path for step in past.failed}
    for path in sorted(set(paths) - known, key=len, reverse=True):
        says = _told_by_packet(past, path)
        if says:
            how = "conflict" if past.item.status == "held" else kind
            return [*found, {"step": path, "is": how, "says": hider.text(says), "when": "probe"}]
    return found


def _told_by_packet(past: Past, path: str) -> str:
    """What the packet's reason says of a step."""
    reason = _TRIES.sub("", past.item.reason or "", count=1)
    return reason.removeprefix(f"{path}: ").partition("; `amierules")[0] if reason.startswith(f"{path}: ") else ""


def decisions_of(past: Past, hider: Hider) -> list[dict[str, Any]]:
    """What people decided, in order."""
    found = [_approval(one, hider) for one in past.approvals]
    if past.ended_by_hand is not None:
        found.append({"word": BY_HAND[past.item.status], "reason": hider.own_words(past.ended_by_hand)})
    return found


def _approval(one: Approval, hider: Hider) -> dict[str, Any]:
    said: dict[str, Any] = {"word": "approve"}
    said |= {"reason": hider.own_words(one.reason)} if one.reason else {}
    return said | ({"set": {name: hider.text(text) for name, text in one.answers.items()}} if one.answers else {})
