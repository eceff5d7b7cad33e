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
    scheme, mark, rest = url.partition("://")
    if mark and scheme != "sqlite":
        message = f"{source}'{printable(scheme, 60)}' is no database that is known here"
    elif place is None:
        message = f"{source}'{printable(without_password(url), 100)}' is no database URL"
    else:
        message = "this is no database URL"
    return url, [Finding("bad-database", message[:200], place, _hint(url, scheme, rest))]


def without_password(url: str) -> str:
    """The text, with `***` for what stands where a URL has its password, or names one."""
    hidden = re.sub(r"(//[^/@:]*:)[^/]*@", r"\1***@", url)
    return re.sub(r"(?i)(password=)[^&\s]*", r"\1***", hidden)


def _hint(url: str, scheme: str, rest: str) -> str:
    if scheme.startswith("postgres") and rest:
        return printable(f"write postgresql://{without_password('//' + rest)[2:]}", 200)
    if url.startswith("sqlite:"):
        path = url.removeprefix("sqlite:").lstrip("/") or "amie.db"
        return printable(f"three slashes before the path: sqlite:///{path} (four where it is absolute)", 200)
    return "sqlite:///amie.db or postgresql://user@host/amiedb"
