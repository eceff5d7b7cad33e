"""The packets of a test file: inline, by a name, or in a JSON file; what they do not say is filled in later."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.diagnostics.suggest import did_you_mean, hint_for
from amierules.protocol.catalogue import catalogue
from amierules.rulebook.files import shown
from amierules.rulebook.nodes import MappingNode, Node, ScalarNode, to_plain
from amierules.testing.model import GivenPacket

_FILLED_IN = frozenset({"local_site_name", "outgoing_flag", "packet_state", "transaction_state", "trans_rec_id"})
_HEADER = (
    *("packet_rec_id", "transaction_id", "packet_id", "remote_site_name", "originating_site_name"),
    *("packet_timestamp", "expected_reply_list"),
)
"""What a packet in a file says of itself that counts in a test."""


class PacketReader:
    """Reads packets; what is wrong goes into `findings`."""

    def __init__(self, folder: Path, named: Node | None, findings: list[Finding]) -> None:
        self._folder = folder
        self._named = named.values if isinstance(named, MappingNode) else {}
        self._findings = findings
        for node in self._named.values():
            self.read(node)

    def read(self, node: Node) -> GivenPacket:
        """A packet, with what the one has that it is like."""
        return self._read(node, ())

    def _read(self, node: Node, under_way: tuple[str, ...]) -> GivenPacket:
        if isinstance(node, ScalarNode):
            return self._like(node, under_way, node.place)
        assert isinstance(node, MappingNode)  # noqa: S101 - the schema says so
        like, file, type_node = node.get("like"), node.get("file"), node.get("type")
        base = GivenPacket("", {}, {}, None, node.place)
        if isinstance(like, ScalarNode):
            base = self._like(like, under_way, node.place)
        elif isinstance(file, ScalarNode):
            base = self._from_file(file, node.place)
        elif type_node is None:
            self._find("missing-key", "the packet lacks the key 'type'", node.place, "add 'type:', or 'like:'")
        if isinstance(type_node, ScalarNode):
            self._findings += check_type(type_node)
        type_ = type_node.text if isinstance(type_node, ScalarNode) else base.type
        body = node.get("body")
        if isinstance(body, MappingNode):
            self._findings += check_body(type_, body)
        merged = {**base.body, **plain_body(body)}
        header, transaction = node.get("header"), node.get("transaction")
        own: Any = to_plain(header) if header is not None else {}
        return GivenPacket(
            type_,
            {tag: value for tag, value in merged.items() if value is not None},
            {**base.header, **own},
            transaction.text if isinstance(transaction, ScalarNode) else base.transaction,
            node.place,
        )

    def _like(self, node: ScalarNode, under_way: tuple[str, ...], place: Place) -> GivenPacket:
        nothing = GivenPacket("", {}, {}, None, place)
        if node.text in under_way:
            self._find("circle", f"'{printable(node.text, 60)}' is like itself", node.place, "")
            return nothing
        if node.text not in self._named:
            message = f"there is no packet '{printable(node.text, 60)}' under 'packets'"
            hint = hint_for(node.text, self._named) or "a packet stands there by its name, or here with 'type:'"
            self._find("unknown-packet", message, node.place, hint)
            return nothing
        found = self._read(self._named[node.text], (*under_way, node.text))
        return GivenPacket(found.type, found.body, found.header, found.transaction, place)

    def _from_file(self, node: ScalarNode, place: Place) -> GivenPacket:
        nothing = GivenPacket("", {}, {}, None, place)
        path = self._folder / node.text
        try:
            data: Any = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            message = f"{printable(shown(path))} cannot be read: {error.strerror or error}"
            self._find("no-such-file", message, node.place, "the path is relative to the test file")
            return nothing
        except ValueError as error:
            self._find("malformed-json", f"{printable(shown(path))} is no JSON: {printable(error)}", node.place, "")
            return nothing
        data = data.get("result", data) if isinstance(data, dict) and "header" not in data else data
        data = data[0] if isinstance(data, list) and len(data) == 1 else data
        if not isinstance(data, dict) or not all(isinstance(data.get(key), dict) for key in ("header", "body")):
            message = f"{printable(shown(path))} holds no packet, or several"
            self._find("no-packet", message, node.place, "one packet a file")
            return nothing
        header = {name: data["header"][name] for name in _HEADER if data["header"].get(name) is not None}
        return GivenPacket(str(data.get("type", "")), data["body"], header, None, place)

    def _find(self, code: str, message: str, place: Place, hint: str) -> None:
        self._findings.append(Finding(code, message, place, hint))


def plain_body(node: Node | None) -> Mapping[str, Any]:
    """The tags and values of a body; a tag that is to be left out is None."""
    plain = to_plain(node) if node is not None else {}
    assert isinstance(plain, dict)  # noqa: S101 - the schema says so
    return plain


def check_type(node: ScalarNode) -> list[Finding]:
    """A warning for a packet type that AMIE does not have: a site may test what becomes of such a packet."""
    if node.text in catalogue().types:
        return []
    message = f"AMIE has no packet type '{printable(node.text, 60)}'"
    close = did_you_mean(node.text, catalogue().types)
    severity = Severity.ERROR if close else Severity.WARNING
    return [Finding("unknown-packet-type", message, node.place, hint_for(node.text, catalogue().types), severity)]


def check_body(type_name: str, body: MappingNode) -> list[Finding]:
    """An error for a tag that is nearly one of the packet type's, a warning for another one that it does not have."""
    known = catalogue().types.get(type_name)
    if known is None:
        return []
    tags = known.allowed_tags
    findings = []
    for key in body.keys.values():
        if key.text in tags:
            continue
        close = did_you_mean(key.text, tags)
        message = f"{type_name} has no tag '{printable(key.text, 60)}'"
        severity = Severity.ERROR if close else Severity.WARNING
        findings.append(Finding("unknown-tag", message, key.place, hint_for(key.text, tags), severity))
    return findings
