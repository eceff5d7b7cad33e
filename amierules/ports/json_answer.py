"""What a service that speaks JSON answered: data, or a fault that says what is known of the request."""

import http.client
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from amierules.diagnostics import printable
from amierules.ports.http_connections import said
from amierules.ports.taking import Denied, NotTaken, Refused, SendingFault, Unsure
from amierules.protocol.json_text import parse_json

_LARGEST = 512 * 1024 * 1024
"""Bytes of an answer, beyond which it is none."""
_CHUNK = 1024 * 1024


@dataclass(frozen=True)
class JsonAnswer:
    """What the service answered, with a status of success."""

    status: int
    data: Any
    """The data, as `protocol.json_text.parse_json` reads it; None where the body was empty and may be."""
    date: datetime | None
    """The time of day at the service, aware, where it says so."""


def read(response: http.client.HTTPResponse) -> bytes:
    """The whole body. Raises `Unsure` where it is cut off."""
    parts: list[bytes] = []
    size = 0
    try:
        while part := response.read(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > _LARGEST:
                raise Unsure(f"the answer has more than {_LARGEST} bytes", status=response.status)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unsure(f"the answer was cut off: {said(error)}", status=response.status) from None
    return b"".join(parts)


def judged(response: http.client.HTTPResponse, text: bytes, may_be_empty: bool) -> JsonAnswer:
    """The data of an answer with this body. Raises as `JsonService.call` does."""
    status = response.status
    if not 200 <= status < 300:
        raise _fault(response, text)
    if may_be_empty and not text.strip():
        return JsonAnswer(status, None, _date(response))
    data, finding = parse_json(text, "answer")
    if finding is not None:
        what = "is empty" if not text.strip() else f"is no JSON: {_shortened(text)}"
        raise Unsure(f"the answer {what}", status=status)
    return JsonAnswer(status, data, _date(response))


def _fault(response: http.client.HTTPResponse, text: bytes) -> SendingFault:
    status = response.status
    message = _message(text)
    reason = f"the answer is {status}" + (f": {message}" if message else "")
    if status in (401, 403, 407):
        return Denied(reason, status=status)
    if status == 429:
        return NotTaken(reason, status=status, retry_after=_retry_after(response))
    if status >= 500 or status == 408:
        return Unsure(reason, status=status, retry_after=_retry_after(response))
    if 300 <= status < 400 and (elsewhere := response.headers.get("Location")):
        reason += f"; it points to {printable(elsewhere, 200)}"
    return Refused(reason, status=status)


def _message(text: bytes) -> str:
    """What the body of an error says: `message`, or `error` as the Usage API has it; else its beginning."""
    data, _ = parse_json(text, "answer")
    told = next((data[key] for key in ("message", "error") if data.get(key)), None) if isinstance(data, dict) else None
    return printable(told, 500) if isinstance(told, str) else _shortened(text)


def _shortened(text: bytes) -> str:
    return printable(text[:2000].decode("utf-8", "replace").strip(), 200)


def _retry_after(response: http.client.HTTPResponse) -> float | None:
    given = (response.headers.get("Retry-After") or "").strip()
    if given.isascii() and given.isdecimal():
        return float(given[:9])
    moment = _moment(given)
    return None if moment is None else max((moment - datetime.now(UTC)).total_seconds(), 0.0)


def _date(response: http.client.HTTPResponse) -> datetime | None:
    return _moment(response.headers.get("Date") or "")


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
