"""What PostgreSQL and SQLite really do differently: connecting, which tables there are, what an error means."""

import re
import shlex
import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple

import psycopg2
from sqlalchemy import URL, Connection, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from amierules.diagnostics import Finding, Invalid, Unavailable, printable

DatabaseError = (DBAPIError, psycopg2.Error, sqlite3.Error)
"""What may be raised by a database call, through SQLAlchemy or straight from a driver."""


class Fault(NamedTuple):
    """What kind of trouble a database error is."""

    code: str
    message: str
    hint: str = ""


_SQLITE = {
    "SQLITE_BUSY": Fault("database-locked", "is locked by another program", "try again, or end the other program"),
    "SQLITE_LOCKED": Fault("database-locked", "is locked by another connection", "try again"),
    "SQLITE_READONLY": Fault("database-read-only", "is read-only", "the file and its folder must be writable"),
    "SQLITE_FULL": Fault("disk-full", "cannot grow: the disk is full", "make room and try again"),
    "SQLITE_NOTADB": Fault("database-damaged", "is not an SQLite database", "check `database:` in the configuration"),
    "SQLITE_CORRUPT": Fault("database-damaged", "is damaged", "restore it from a backup"),
    "SQLITE_CANTOPEN": Fault(
        "database-unreachable", "cannot be opened", "the file must be readable, and its folder writable"
    ),
    "SQLITE_PERM": Fault("database-permission", "may not be opened", "check the permissions of the file"),
    "SQLITE_AUTH": Fault("database-permission", "may not be opened", "check the permissions of the file"),
    "SQLITE_IOERR": Fault("database-lost", "cannot be read or written: input/output error", "check the disk"),
    "SQLITE_PROTOCOL": Fault("database-locked", "could not be locked", "try again; SQLite needs a local disk"),
}
_FULL = Fault(
    "database-unreachable",
    "takes no more connections",
    "use fewer `--jobs` (each takes four), or raise max_connections in the server's postgresql.conf",
)
_POSTGRES = {
    "25006": Fault("database-read-only", "is read-only", "connect to the primary, as a user that may write"),
    "40001": Fault("database-locked", "was changed by another transaction at the same time", "try again"),
    "40P01": Fault("database-locked", "had two transactions that waited for each other", "try again"),
    "42501": Fault("database-permission", "does not let this user do that", "grant the user rights on its tables"),
    "42P01": Fault("database-no-tables", "lacks a table", "run `amierules db check`"),
    "42703": Fault("database-no-tables", "lacks a column", "run `amierules db check`"),
    "53100": Fault("disk-full", "cannot grow: the disk is full", "make room and try again"),
    "53300": _FULL,
    "55P03": Fault("database-locked", "is locked by another transaction", "try again"),
    "58030": Fault("database-lost", "cannot be read or written: input/output error", "check its disk"),
}
_NO_SCHEMA = Fault(
    "database-permission",
    "does not let this user make tables",
    "as the database's owner: grant create, usage on schema public to that user",
)
_LOST = Fault("database-lost", "was lost: the connection has ended", "check that the server runs, and try again")
_UNREACHABLE = Fault("database-unreachable", "cannot be reached", "check `database:` and that the server runs")


_REFUSALS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Fault]], ...] = (
    # psycopg2 gives no SQLSTATE where connecting fails; the texts are the server's own.
    (re.compile(r"too many (clients|connections)|remaining connection slots are reserved"), lambda _found: _FULL),
    (
        re.compile(r'database "([^"]*)" does not exist'),
        lambda found: Fault(
            "database-unreachable", "is not there", f"make it: createdb {printable(shlex.quote(found[1]), 80)}"
        ),
    ),
    (
        re.compile(r'role "([^"]*)" does not exist'),
        lambda found: Fault(
            "database-unreachable",
            "does not know this user",
            f"make the user: createuser {printable(shlex.quote(found[1]), 80)}; or name another in the URL",
        ),
    ),
)


def fault(error: BaseException) -> Fault | None:
    """The kind of trouble that a database error is; None where it is the program's fault, or a refused value.

    Takes errors of SQLAlchemy and of both drivers.
    """
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, sqlite3.Error):
        return _sqlite_fault(original)
    if not isinstance(original, psycopg2.Error):
        return None
    state = original.pgcode or ""
    if state == "42501" and "schema" in str(original):
        return _NO_SCHEMA
    if state == "3F000":
        return _NO_SCHEMA
    if state in _POSTGRES:
        return _POSTGRES[state]
    if state.startswith(("08", "57P")):
        return _LOST
    # A server that dies in the middle of an answer leaves an error of no class of its own, and without a state.
    nameless = type(original) is psycopg2.DatabaseError
    if nameless or isinstance(original, (psycopg2.OperationalError, psycopg2.InterfaceError)):
        return _LOST if not state else Fault("database-error", "reported an error")
    return None


def _sqlite_fault(error: sqlite3.Error) -> Fault | None:
    name = getattr(error, "sqlite_errorname", "")
    found = next((trouble for prefix, trouble in _SQLITE.items() if name.startswith(prefix)), None)
    if found is None and "no such" in str(error):
        return _POSTGRES["42P01"]
    return found


def unavailable(trouble: Fault, error: BaseException, url: URL) -> Unavailable:
    """The error for the user: one line that names the database, without its password."""
    original = error.orig if isinstance(error, DBAPIError) else error
    detail = one_line(str(original), url)
    message = f"the database {shown(url)} {trouble.message}" + (f" ({detail})" if detail else "")
    return Unavailable(Finding(trouble.code, message, hint=trouble.hint))


def unreachable(error: BaseException, url: URL) -> Unavailable:
    """The error for a connection that could not be made."""
    trouble = fault(error)
    if trouble is None or trouble.code in {"database-lost", "database-error"}:
        said = str(error.orig if isinstance(error, DBAPIError) else error)
        trouble = next((named(match) for pattern, named in _REFUSALS if (match := pattern.search(said))), _UNREACHABLE)
    return unavailable(trouble, error, url)


def one_line(message: str, url: URL) -> str:
    """A driver's message as one printable line without the password of `url`."""
    joined = "; ".join(line.strip() for line in message.splitlines() if line.strip())
    for secret in _secrets(url):
        joined = joined.replace(secret, "***")
    return printable(joined, 300)


def shown(url: URL) -> str:
    """The URL as it may be shown: without passwords; a file as its path."""
    if url.drivername.startswith("sqlite"):
        return url.database or "in memory"
    hidden = {"password": "***"} if "password" in url.query else {}
    return printable(url.update_query_dict(hidden).set(drivername="postgresql").render_as_string(hide_password=True))


def _secrets(url: URL) -> Iterable[str]:
    in_query = url.query.get("password", "")
    secrets = [str(url.password or ""), *([in_query] if isinstance(in_query, str) else in_query)]
    return (secret for secret in secrets if len(secret) > 2)


def parse_url(text_of_url: str) -> URL:
    """The database URL of a configuration; `postgresql://` means psycopg2. Raises `Invalid` (`database-url`)."""
    try:
        url = make_url(text_of_url)
        kind = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise _bad_url("the database URL cannot be read") from None
    if url.drivername not in {"postgresql", "postgresql+psycopg2", "sqlite", "sqlite+pysqlite"}:
        raise _bad_url(f"a database of the kind `{printable(url.drivername, 40)}` is not supported")
    if kind == "sqlite" and (url.query or url.host):
        raise _bad_url("an SQLite URL is `sqlite:///` and a path, and nothing more")
    return url.set(drivername="postgresql+psycopg2" if kind == "postgresql" else "sqlite+pysqlite")


def _bad_url(message: str) -> Invalid:
    return Invalid(
        Finding("database-url", message, hint="write `sqlite:///amie.db` or `postgresql://user@host/amiedb`")
    )


def present_tables(connection: Connection, names: Iterable[str]) -> set[str]:
    """Which of the tables (or views) there are, as an unqualified name finds them."""
    wanted = list(names)
    if connection.dialect.name == "sqlite":
        found = connection.execute(text("select name from sqlite_master where type in ('table', 'view')"))
    else:
        statement = text("select name from unnest(:names) as name where to_regclass(quote_ident(name)) is not null")
        found = connection.execute(statement, {"names": wanted})
    return set(wanted) & set(found.scalars())


def is_empty(connection: Connection) -> bool:
    """Whether the database holds no table at all."""
    if connection.dialect.name == "sqlite":
        return not connection.execute(text("select count(*) from sqlite_master")).scalar_one()
    statement = text(
        "select count(*) from pg_class where relkind in ('r', 'p', 'v', 'm') and pg_table_is_visible(oid)"
        " and relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
    )
    return not connection.execute(statement).scalar_one()


def moment(connection: Connection) -> datetime:
    """Now, by the database's clock, which all hosts share; that of this host for an SQLite file."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    now: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
    return now.astimezone(UTC)
