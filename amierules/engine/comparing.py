"""What we would answer beside what another program has answered, tag by tag."""

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from amierules.protocol.catalogue import TagKind, catalogue
from amierules.protocol.packet import Packet

REPLY = "(reply)"
"""What stands for the tag where it is the reply itself that differs."""


def differences(outcome: Mapping[str, Any], answer: Packet) -> list[dict[str, Any]]:
    """How a plan's outcome (as `dry-run --format json` prints it) differs from a reply; none where they agree.

    Each is `{tag, ours, theirs}`; None where one side has no such tag. A value that only a run would tell, such as a
    new id, is compared as it is expected. Moments are not compared, and lists without regard to their order.
    """
    if outcome["type"] != answer.header.type:
        said = outcome["type"] or f"{outcome['kind']}: {outcome['reason'] or ''}".rstrip(": ")
        return [{"tag": REPLY, "ours": said, "theirs": answer.header.type}]
    ours: Mapping[str, Any] = {tag: value for tag, value in (outcome["body"] or {}).items() if value not in (None, [])}
    theirs: Mapping[str, Any] = answer.body
    return [
        {"tag": tag, "ours": ours.get(tag), "theirs": theirs.get(tag)}
        for tag in sorted({*ours, *theirs})
        if not _agree(tag, _expected(ours.get(tag)), theirs.get(tag))
    ]


def _expected(value: Any) -> Any:
    """The value, with what is expected in the place of what is not known."""
    if isinstance(value, dict) and "unknown" in value:
        return value.get("expected")
    return [_expected(one) for one in value] if isinstance(value, list) else value


def _agree(tag: str, ours: Any, theirs: Any) -> bool:
    if ours is None or theirs is None:
        return False
    known = catalogue().tag(tag)
    kind = known.kind if known is not None else TagKind.TEXT
    if kind is TagKind.DATETIME:
        return True
    if kind is TagKind.DECIMAL:
        return _number(ours) == _number(theirs)
    if isinstance(ours, list) and isinstance(theirs, list):
        return Counter(map(repr, ours)) == Counter(map(repr, theirs))
    return _plain(ours) == _plain(theirs)


def _number(value: Any) -> object:
    try:
        return Decimal(str(value))
    except InvalidOperation:
        return value


def _plain(value: Any) -> object:
    """A text for what stands in a row of AMIE's as one; a list of one for that one."""
    if isinstance(value, list) and len(value) == 1:
        return _plain(value[0])
    return value if isinstance(value, list | dict) else str(value)
