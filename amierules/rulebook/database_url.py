"""The database's URL: what it may be, and where a relative SQLite file stands."""

import re
from pathlib import Path

from amierules.diagnostics import Finding, Place, printable

_SQLITE = "sqlite://"


def resolve_database(url: str, base: Path, place: Place | None) -> tuple[str, list[Finding]]:
    """The URL with an absolute SQLite path, and what is wrong with it. `place` is None for AMIERULES_DATABASE.

    `sqlite:///amie.db` is relative to `base`, `sqlite:////var/amie.db` absolute, `sqlite://` in memory.
    """
    if re.match(r"postgresql(\+psycopg2)?://", url):
        return url, []
    if url == _SQLITE:
        return url, []
    if url.startswith(_SQLITE + "/") and len(url) > len(_SQLITE) + 1:
        path, mark, query = url.removeprefix(_SQLITE + "/").partition("?")
        return f"{_SQLITE}/{base / path}{mark}{query}", []
    source = "" if place is not None else "AMIERULES_DATABASE: "
    scheme = url.partition("://")[0] if "://" in url else ""
    message = (
        f"{source}'{printable(scheme, 60)}' is no database that is known here"
        if scheme
        else f"{source}this is no database URL"
    )
    hint = "sqlite:///amie.db or postgresql://user@host/amiedb"
    return url, [Finding("bad-database", message[:200], place, hint)]
