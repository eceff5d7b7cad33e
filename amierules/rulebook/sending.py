"""Whether what an action sends is a packet with which a site starts a transaction, with the tags that it needs."""

from amierules.diagnostics import Finding, printable
from amierules.diagnostics.suggest import hint_for
from amierules.protocol.catalogue import Catalogue, PacketType
from amierules.protocol.required import missing_tags
from amierules.rulebook.nodes import MappingNode, ScalarNode
from amierules.rulebook.replies import check_tag

_KIND = "send_packet"


def check_send(action: MappingNode, catalogue: Catalogue) -> list[Finding]:
    """What is wrong with the packet that an action sends; nothing for an action that sends none."""
    given = action.get(_KIND)
    named = given.get("type") if isinstance(given, MappingNode) else None
    if not isinstance(given, MappingNode) or not isinstance(named, ScalarNode) or not isinstance(named.value, str):
        return []
    ours = [type_.name for type_ in catalogue.types.values() if type_.direction == "from_site"]
    type_ = catalogue.types.get(named.value)
    if type_ is None:
        message = f"'{printable(named.value, 60)}' is no packet type"
        return [Finding("unknown-packet-type", message, named.place, hint_for(named.value, ours))]
    if type_.name not in ours:
        message = f"{type_.name} is no packet with which a site starts a transaction"
        return [Finding("cannot-be-sent", message, named.place, f"like {', '.join(sorted(ours)[:3])}")]
    return _check_fields(given, type_, catalogue)


def _check_fields(given: MappingNode, type_: PacketType, catalogue: Catalogue) -> list[Finding]:
    fields = given.get("fields")
    if not isinstance(fields, MappingNode):
        return []
    findings = [finding for key in fields.keys.values() for finding in check_tag(key, type_, catalogue)]
    lacking = missing_tags(type_, type_.required_when_originated, fields.keys.keys(), {})
    if lacking:
        shown = ", ".join(" or ".join(group) for group in lacking)
        message = f"{type_.name} must have a value for {shown}"
        findings.append(Finding("missing-tag", message, given.key_place("fields"), "nothing here gives one"))
    return findings
