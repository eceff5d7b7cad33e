"""Moments and spans of time as people write them on the command line."""

import re
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from amierules.diagnostics import Finding, NotAllowed, printable

_SPAN = re.compile(r"(\d{1,5})\s*(m|min|minutes?|h|hours?|d|days?|w|weeks?)(?:\s+ago)?$")
_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800}


def moment(text: str, zone: ZoneInfo, now: datetime, *, option: str) -> int:
    """Seconds since 1970 of `2026-03-01`, `2026-03-01T12:00`, `now`, or `2 days` (ago).

    `zone` is that of what names none. Raises `NotAllowed`.
    """
    wanted = text.strip()
    if wanted == "now":
        return int(now.timestamp())
    if found := _SPAN.match(wanted):
        return int(now.timestamp()) - int(found[1]) * _SECONDS[found[2][0]]
    try:
        parsed = datetime.fromisoformat(wanted) if len(wanted) > 10 else _midnight(wanted)
        seconds = (parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError, OSError):
        hint = "like 2026-03-01, 2026-03-01T12:00:00Z, now, or '2 days'"
        raise NotAllowed(Finding("usage", f"{option}: '{printable(text, 40)}' is no moment", hint=hint)) from None
    return int(seconds)


def _midnight(text: str) -> datetime:
    return datetime.combine(date.fromisoformat(text), time())


def shown(seconds: int) -> str:
    """A moment as AMIE and people read it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
