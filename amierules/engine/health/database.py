"""The database, as `doctor` sees it: reachable, writable, whole, its clock, and the ids that are left."""

import grp
import os
import pwd
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, insert, select, text

from amierules.database import amie_tables, own_tables, reservations
from amierules.database.connection import Database
from amierules.database.schema import CURRENT_VERSION
from amierules.database.table_check import check
from amierules.diagnostics import AmierulesError, ExitStatus, Finding, printable
from amierules.engine.health.check import Check, Health, error, from_error, from_findings, ok, warning
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.ids import IdSource

_WHAT = "database"
_READ_ONLY_TABLES = {amie_tables.type_des.name, amie_tables.state_des.name}
_SLOW_CLOCK, _WRONG_CLOCK = 2.0, 60.0
"""Seconds between two clocks that are worth a warning, and that are an error."""
_FEW = 0.1
"""The part of an id's numbers below which they are running out."""
_SYSTEM_IDS = 1000
"""Below it are the ids of the system's own accounts (useradd's UID_MIN)."""


def table_findings(url: str) -> list[Finding]:
    """What is wrong with the tables of a database, without making anything. Raises `Unavailable`, `Invalid`."""
    with Database.open_unchecked(url) as database:
        path = database.path
        if path is not None and not os.path.lexists(path):
            hint = "`amierules db create` makes it, and so does the first `load` or `run`"
            return [Finding("database-no-tables", f"there is no file {printable(path)} yet", hint=hint)]
        return check(database)


def check_database(configuration: Configuration) -> Iterator[Check]:
    """Everything about the database."""
    try:
        with Database.open(configuration.database, create=False) as database:
            if not database.exists:
                yield _not_yet(Path(str(database.url.database)))
            else:
                yield from _opened(database)
            yield from _check_ids(configuration, database)
    except AmierulesError as raised:
        yield from from_error(_WHAT, raised)


def _not_yet(path: Path) -> Check:
    if os.access(path.parent, os.W_OK | os.X_OK):
        return ok(_WHAT, f"{printable(path)} is not there yet; the first load or run makes it")
    hint = "the folder must be there, and writable"
    return Check(_WHAT, Health.ERROR, f"{printable(path)} cannot be made", hint, ExitStatus.UNAVAILABLE)


def _opened(database: Database) -> Iterator[Check]:
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    version = f"amierules tables of version {CURRENT_VERSION}"
    yield ok(_WHAT, f"{kind} {printable(database.url_shown)}, {version}")
    try:
        _write_and_forget(database)
        yield from _check_rights(database)
    except AmierulesError as raised:
        yield from from_error(_WHAT, raised)
    yield from from_findings(_WHAT, check(database))
    yield from _check_clock(database)


class _Forget(Exception):
    pass


def _write_and_forget(database: Database) -> None:
    """Writes a row, and takes it back. Raises `Unavailable` where that is not possible."""
    try:
        with database.begin() as connection:
            connection.execute(insert(own_tables.meta), [{"name": "doctor", "value": "never committed"}])
            raise _Forget
    except _Forget:
        pass


def _check_rights(database: Database) -> Iterator[Check]:
    """Whether this user may do with each table what amierules does; only PostgreSQL has such rights."""
    if database.is_sqlite:
        yield ok(_WHAT, "it can be written")
        return
    lacking = []
    with database.read() as connection:
        for table in (*amie_tables.metadata.tables, *own_tables.metadata.tables):
            rights = ["select"] if table in _READ_ONLY_TABLES else ["select", "insert", "update"]
            rights += ["delete"] if table in own_tables.metadata.tables else []
            for right in rights:
                statement = text("select has_table_privilege(current_user, to_regclass(quote_ident(:name)), :right)")
                if connection.execute(statement, {"name": table, "right": right}).scalar() is False:
                    lacking.append(f"{right} on {table}")
    if lacking:
        more = f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
        detail = f"this user lacks the right to {lacking[0]}{more}"
        hint = f"grant {lacking[0]} to this user"
        yield Check(_WHAT, Health.ERROR, detail, hint, ExitStatus.UNAVAILABLE)
    else:
        yield ok(_WHAT, "it can be written")


def _check_clock(database: Database) -> Iterator[Check]:
    newest = own_tables.event.c.at
    with database.read() as connection:
        begun = datetime.now(UTC)
        theirs: datetime | None = None
        if not database.is_sqlite:
            theirs = connection.execute(text("select clock_timestamp()")).scalar_one()
        ours = begun + (datetime.now(UTC) - begun) / 2
        last_event: datetime | None = connection.execute(select(func.max(newest))).scalar()
    hint = "synchronise the clocks (chrony, systemd-timesyncd)"
    apart = abs((theirs - ours).total_seconds()) if theirs is not None else 0.0
    if apart > _SLOW_CLOCK:
        judge = error if apart > _WRONG_CLOCK else warning
        yield judge("clock", f"the database's clock and this host's are {apart:.0f} seconds apart", hint)
    elif last_event is not None and last_event > ours + timedelta(seconds=_WRONG_CLOCK):
        detail = f"it is {ours:%Y-%m-%d %H:%M} UTC here, but the newest event is of {last_event:%Y-%m-%d %H:%M}"
        yield warning("clock", detail, hint)
    else:
        yield ok("clock", f"{ours:%Y-%m-%dT%H:%M:%SZ}" + ("" if theirs is None else ", as in the database"))


def _check_ids(configuration: Configuration, database: Database) -> Iterator[Check]:
    on_host = configuration.settings.get("accounts") == "shadow" and configuration.shadow_prefix is None
    for what in ("uid", "gid", "person_id"):
        source: IdSource = getattr(configuration.ids, what)
        if source.ranges:
            yield _check_range(database, what, source, on_host)


def _check_range(database: Database, what: str, source: IdSource, on_host: bool) -> Check:
    shown = ", ".join(f"{first}-{last}" for first, last in source.ranges)
    try:
        free = reservations.expected_number(database, what, source.ranges, 0, "doctor")
    except reservations.Exhausted:
        return error(f"ids {what}", f"none of {shown} is free", f"widen the range under `ids:` `{what}:`")
    left = sum(last - first + 1 for first, last in _from(source, free))
    total = sum(last - first + 1 for first, last in source.ranges)
    detail = f"the next is {free}, of {shown}"
    if left < total * _FEW:
        return warning(f"ids {what}", f"{detail}: at most {left} are left", f"add a range under `ids:` `{what}:`")
    if what != "person_id" and min(first for first, _ in source.ranges) < _SYSTEM_IDS:
        return warning(f"ids {what}", f"{shown} reaches below {_SYSTEM_IDS}, where the system's own accounts are")
    holder = _holder(what, free) if on_host else None
    if holder is not None:
        hint = "choose a range that nothing else uses, or tell the registry of the accounts that are there"
        return warning(f"ids {what}", f"{detail}, which {holder} has on this host", hint)
    return ok(f"ids {what}", detail)


def _from(source: IdSource, free: int) -> list[tuple[int, int]]:
    """The ranges from the one on that holds the number; those before it are used up."""
    position = next((index for index, (first, last) in enumerate(source.ranges) if first <= free <= last), 0)
    current, *later = source.ranges[position:]
    return [(free, current[1]), *later]


def _holder(what: str, number: int) -> str | None:
    try:
        name = pwd.getpwuid(number).pw_name if what == "uid" else grp.getgrgid(number).gr_name
    except (KeyError, OverflowError):
        return None
    return printable(name)
