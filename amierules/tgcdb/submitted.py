"""What a site posts to the REST API, read as a packet."""

from collections.abc import Mapping
from typing import Any

from amierules.diagnostics import printable
from amierules.protocol.json_text import parse_json, plain_json
from amierules.protocol.rows import TooDeepError, body_to_rows, normalise
from amierules.protocol.sizes import oversize
from amierules.tgcdb.central import Submitted
from amierules.tgcdb.listing import LARGEST
from amierules.tgcdb.protocol_rules import Violation

_DIGITS = 38


class Malformed(ValueError):
    """What was posted is no packet; `violation` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.violation = Violation("T51", reason)


def read_submitted(data: bytes, in_reply_to: int | None) -> Submitted:
    """The packet in a posted body; `in_reply_to` is what the path says. Raises `Malformed`."""
    element = read_json(data)
    if not isinstance(element, dict):
        raise Malformed("the posted JSON is no object with type and body")
    type_name, content = element.get("type"), element.get("body")
    header = element.get("header") if element.get("header") is not None else {}
    if not isinstance(type_name, str):
        raise Malformed("the packet has no type")
    if not isinstance(content, dict) or not isinstance(header, dict):
        raise Malformed("body or header is no object")
    check_content(content)
    named = _number(header, "in_reply_to")
    answers = in_reply_to if in_reply_to is not None else named
    return Submitted(
        type_name,
        content,
        in_reply_to=answers,
        transaction_id=None if answers is not None else _number(header, "transaction_id"),
        packet_id=None if answers is not None else _small(_number(header, "packet_id")),
        lenient=answers is not None,
    )


def read_json(data: bytes) -> Any:
    """Any JSON value. Raises `Malformed`."""
    element, finding = parse_json(data, "the posted body")
    if finding:
        raise Malformed(finding.message)
    try:
        return plain_json(element)
    except RecursionError:
        raise Malformed("the JSON is nested too deeply") from None


def check_content(content: Mapping[str, Any]) -> None:
    """Whether a body can be kept. Raises `Malformed`."""
    try:
        for row in body_to_rows(normalise(content)):
            if too_long := oversize(row.tag, row.subtag, row.value):
                raise Malformed(f"{printable(row.tag, 40)} has {too_long[1]}")
    except (TooDeepError, RecursionError) as error:
        raise Malformed(f"the body is nested too deeply: {printable(error)}") from None
    except ValueError as error:
        raise Malformed(f"the body has a value that is no text: {printable(error)}") from None


def _number(header: Mapping[str, Any], name: str) -> int | None:
    value = header.get(name)
    if value is None or value == "":
        return None
    text = str(value)
    if isinstance(value, bool | float) or not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise Malformed(f"{name} '{printable(value, 40)}' is no number")
    return int(text)


def _small(number: int | None) -> int | None:
    if number is not None and number > LARGEST:
        raise Malformed(f"packet_id {number} is too large")
    return number
