"""Moments and spans of time as people write them on the command line."""

import re
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from amierules.diagnostics import Finding, NotAllowed, printable

_SPAN = re.compile(r"(\d{1,5})\s*(m|min|minutes?|h|hours?|d|days?|w|weeks?)(?:\s+ago)?$")
_FIRST_DAY = date(1970, 1, 1)
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
    day, second = divmod(seconds, 86_400)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    return f"{_day(day)}T{hour:02}:{minute:02}:{second:02}Z"


@lru_cache(maxsize=4096)
def _day(number: int) -> str:
    """The date of a day, counted from 1970."""
    return (_FIRST_DAY + timedelta(days=number)).isoformat()
