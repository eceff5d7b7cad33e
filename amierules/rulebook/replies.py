"""Whether a rule's reply is one that its packets expect, with tags that it may have."""

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.diagnostics.suggest import hint_for
from amierules.protocol.catalogue import Catalogue, PacketType
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode
from amierules.rulebook.structure import mappings_in


def check_replies(root: MappingNode, packet_types: tuple[str, ...], catalogue: Catalogue) -> list[Finding]:
    """What is wrong with the outcomes of a rule file for the packet types that it names."""
    known = [catalogue.types[name] for name in packet_types if name in catalogue.types]
    findings = _never_arrive(root, known)
    for rule in mappings_in(root.get("rules")):
        for packet_type in known:
            findings += _check_rule(rule, packet_type, catalogue)
    return list(dict.fromkeys(findings))


def _never_arrive(root: MappingNode, packet_types: list[PacketType]) -> list[Finding]:
    place = root.values["packet"].place if "packet" in root.values else root.place
    return [
        Finding(
            "never-arrives",
            f"{packet_type.name} is sent by sites, never to one: these rules are never asked",
            _item_place(root.get("packet"), packet_type.name) or place,
            severity=Severity.WARNING,
        )
        for packet_type in packet_types
        if packet_type.direction == "from_site"
    ]


def _item_place(node: Node | None, text: str) -> Place | None:
    items = node.items if isinstance(node, ListNode) else ()
    return next((item.place for item in items if isinstance(item, ScalarNode) and item.text == text), None)


def _check_rule(rule: MappingNode, packet_type: PacketType, catalogue: Catalogue) -> list[Finding]:
    expected = [reply.type for reply in packet_type.expected_replies]
    for outcome in ("reply", "fail"):
        if outcome in rule.keys and not expected:
            message = f"{packet_type.name} expects no reply"
            hint = "end the rule with complete, ignore or hold"
            return [Finding("no-reply-due", message, rule.key_place(outcome), hint)]
    reply = rule.get("reply")
    if not isinstance(reply, MappingNode):
        return []
    named = reply.get("type")
    if isinstance(named, ScalarNode) and isinstance(named.value, str):
        chosen = catalogue.types.get(named.value)
        if chosen is None:
            return []
        if chosen.name not in expected:
            return [_unexpected(packet_type, chosen.name, expected, named.place)]
    elif len(expected) > 1:
        hint = f"add 'type:' with one of {', '.join(expected)}"
        message = f"{packet_type.name} expects one of several replies"
        return [Finding("reply-type-missing", message, rule.key_place("reply"), hint)]
    else:
        chosen = catalogue.types[expected[0]]
    return _check_tags(reply, packet_type, chosen, catalogue)


def _unexpected(packet_type: PacketType, given: str, expected: list[str], place: Place) -> Finding:
    message = f"{packet_type.name} does not expect {given}"
    return Finding("unexpected-reply", message, place, f"it expects {' or '.join(expected)}")


def _check_tags(reply: MappingNode, packet: PacketType, answer: PacketType, catalogue: Catalogue) -> list[Finding]:
    findings = []
    copied = reply.get("copy")
    for item in copied.items if isinstance(copied, ListNode) else ():
        if isinstance(item, ScalarNode) and isinstance(item.value, str):
            findings += check_tag(item, packet, catalogue) or check_tag(item, answer, catalogue)
    fields = reply.get("fields")
    if isinstance(fields, MappingNode):
        for key in fields.keys.values():
            findings += check_tag(key, answer, catalogue)
    return findings


def check_tag(tag: ScalarNode, packet_type: PacketType, catalogue: Catalogue) -> list[Finding]:
    """Whether a packet of the type may have the tag that stands in this scalar."""
    if tag.text in packet_type.allowed:
        return []
    shown = printable(tag.text, 60)
    if catalogue.tag(tag.text) is None:
        words = tag.text.split()
        if len(words) > 1 and all(catalogue.tag(word) is not None for word in words):
            message = f"'{shown}' is no tag of AMIE: a comma is missing"
            return [Finding("unknown-tag", message, tag.place, printable(f"write {', '.join(words)}"))]
        return [
            Finding("unknown-tag", f"'{shown}' is no tag of AMIE", tag.place, hint_for(tag.text, packet_type.allowed))
        ]
    message = f"{packet_type.name} has no tag '{shown}'"
    hint = hint_for(tag.text, packet_type.allowed) if len(packet_type.allowed) < 8 else ""
    return [Finding("tag-not-in-packet", message, tag.place, hint, Severity.WARNING)]
