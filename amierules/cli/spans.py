"""Spans of time on the command line."""

from datetime import UTC, datetime, timedelta

from amierules.diagnostics import Finding, NotAllowed, printable
from amierules.rulebook.durations import duration_seconds


def so_long_ago(older_than: str, now: datetime, *, at_least: timedelta = timedelta()) -> datetime:
    """The moment that `--older-than` means. Raises `NotAllowed` for what is no duration, or a shorter one."""
    try:
        age = timedelta(seconds=duration_seconds(older_than))
    except (ValueError, OverflowError):
        message = f"--older-than {printable(older_than, 40)} is no duration"
        raise NotAllowed(Finding("bad-option", message, hint="an integer above 0 and one of s m h d: 180d")) from None
    if age < at_least:
        raise NotAllowed(Finding("bad-option", f"--older-than is at least {at_least.days}d"))
    return now - min(age, now - datetime.min.replace(tzinfo=UTC))
