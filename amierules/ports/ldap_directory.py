"""The directory over LDAP, by python-ldap, where that is installed; a lazily made connection for each thread."""

import base64
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from amierules.ports.directory import DirectoryError, Entry, Modification, Rdns, Trouble

try:
    import ldap
    import ldap.controls
    import ldap.dn
    import ldap.filter
    import ldap.sasl
except ImportError:
    ldap = None

NOT_INSTALLED = "python-ldap is not installed: pip install 'amierules[ldap]', or the package python3-ldap"
DEFAULT_TIMEOUT = 10.0
"""Seconds that the server may take for an answer."""
MOST_ENTRIES = 1000
"""So many entries a search may find at most."""
_PAGE = 500
"""Entries that are asked for at a time where all are wanted; servers often give no more at once."""

T = TypeVar("T")

_TROUBLES: Mapping[str, Trouble] = {
    **dict.fromkeys(("SERVER_DOWN", "CONNECT_ERROR", "UNAVAILABLE", "INVALID_CREDENTIALS"), Trouble.AWAY),
    **dict.fromkeys(("INAPPROPRIATE_AUTH", "STRONG_AUTH_REQUIRED", "CONFIDENTIALITY_REQUIRED"), Trouble.AWAY),
    **dict.fromkeys(("BUSY", "TIMEOUT", "TIMELIMIT_EXCEEDED", "ADMINLIMIT_EXCEEDED"), Trouble.BUSY),
    "NO_SUCH_OBJECT": Trouble.NOT_THERE,
    "ALREADY_EXISTS": Trouble.EXISTS,
    "CONSTRAINT_VIOLATION": Trouble.VIOLATION,
    "TYPE_OR_VALUE_EXISTS": Trouble.VALUE_EXISTS,
    "NO_SUCH_ATTRIBUTE": Trouble.NO_SUCH_VALUE,
}
_CUT = ("SERVER_DOWN", "CONNECT_ERROR", "TIMEOUT")
"""After these the connection is not to be used any more."""
_UNTRUSTED = ("CONNECT_ERROR", "SERVER_DOWN")
_CERTIFICATE = " (is its certificate for this name, and by an authority that `ca_file` or this host trusts?)"


class _Cut(DirectoryError):
    """The connection was lost before the answer came."""


@dataclass(frozen=True)
class Access:
    """How the server is reached, and as whom."""

    uri: str
    start_tls: bool = False
    ca_file: Path | None = None
    bind_dn: str | None = None
    password: Callable[[], str] | None = None
    """Reads the password when a connection is made. Raises `ValueError` where it cannot be had."""
    external: bool = False
    """Whether the server knows us by the unix socket (SASL EXTERNAL)."""
    timeout: float = DEFAULT_TIMEOUT


class LdapDirectory:
    """A server of LDAP; see `amierules.ports.directory.Directory`."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._local = threading.local()
        self._inherited: list[object] = []

    def dn(self, rdns: Rdns, base: str) -> str:
        """The DN of an entry below `base`, its values escaped by the library."""
        _check_installed()
        found = ["+".join(f"{name}={ldap.dn.escape_dn_chars(value)}" for name, value in rdn.items()) for rdn in rdns]
        return ",".join([*found, *([base] if base else [])])

    def filter(self, parts: Sequence[str]) -> str:
        """A filter of what is written and of values, in turn; the values are escaped by the library."""
        _check_installed()
        escape = ldap.filter.escape_filter_chars
        return "".join(escape(part) if number % 2 else part for number, part in enumerate(parts))

    def read(self, dn: str, timeout: float | None = None) -> Entry | None:
        """The entry; None where there is none."""
        try:
            found = self.search(dn, "base", "(objectClass=*)", (), timeout)
        except DirectoryError as error:
            if error.trouble is Trouble.NOT_THERE:
                return None
            raise
        return found[0] if found else None

    def search(
        self, base: str, scope: str, filter_text: str, attributes: Sequence[str], timeout: float | None = None
    ) -> list[Entry]:
        """The entries that match, with these attributes or with all."""

        def ask(connection: Any, seconds: float) -> list[Entry]:
            number = {"base": ldap.SCOPE_BASE, "one": ldap.SCOPE_ONELEVEL, "sub": ldap.SCOPE_SUBTREE}[scope]
            wanted = list(attributes) or None
            try:
                found = connection.search_ext_s(
                    base, number, filter_text, wanted, timeout=seconds, sizelimit=MOST_ENTRIES
                )
            except ldap.SIZELIMIT_EXCEEDED as error:
                most = f"more entries match than the server gives, or than {MOST_ENTRIES}"
                raise DirectoryError(Trouble.REFUSED, most) from error
            return _entries(found)

        return self._reading(ask, timeout)

    def every(self, base: str, filter_text: str, attributes: Sequence[str]) -> Iterator[Entry]:
        """All entries below `base` that match; see `amierules.ports.directory.Directory`."""
        _check_installed()
        page = ldap.controls.SimplePagedResultsControl(criticality=True, size=_PAGE, cookie="")

        def ask(connection: Any, seconds: float) -> list[Entry]:
            sent = connection.search_ext(base, ldap.SCOPE_SUBTREE, filter_text, list(attributes), serverctrls=[page])
            _, found, _, controls = connection.result3(sent, timeout=seconds)
            page.cookie = next((one.cookie for one in controls if one.controlType == page.controlType), "")
            return _entries(found)

        yield from self._reading(ask, None)
        while page.cookie:
            # The place in the search is lost with its connection.
            yield from self._asked(ask, None)

    def compare(self, dn: str, attribute: str, value: str, timeout: float | None = None) -> bool:
        """Whether the entry has the value, in the server's opinion."""

        def ask(connection: Any, _seconds: float) -> bool:
            return bool(connection.compare_s(dn, attribute, _bytes(value)))

        try:
            return self._reading(ask, timeout)
        except DirectoryError as error:
            if error.trouble in (Trouble.NOT_THERE, Trouble.NO_SUCH_VALUE, Trouble.REFUSED):
                return False  # what cannot be compared, or is no value of this syntax, is not there in any spelling
            raise

    def add(self, dn: str, attributes: Mapping[str, Sequence[str]], timeout: float | None = None) -> None:
        """Make an entry."""
        given = [(name, list(map(_bytes, values))) for name, values in attributes.items()]
        self._writing(lambda connection, _seconds: connection.add_s(dn, given), timeout)

    def modify(self, dn: str, modifications: Sequence[Modification], timeout: float | None = None) -> None:
        """Change an entry, in one step."""
        _check_installed()
        numbers = {"add": ldap.MOD_ADD, "delete": ldap.MOD_DELETE, "replace": ldap.MOD_REPLACE}
        given = [(numbers[one.op], one.attribute, list(map(_bytes, one.values)) or None) for one in modifications]
        self._writing(lambda connection, _seconds: connection.modify_s(dn, given), timeout)

    def delete(self, dn: str, timeout: float | None = None) -> None:
        """Remove an entry that has none below it."""
        self._writing(lambda connection, _seconds: connection.delete_s(dn), timeout)

    def _reading(self, ask: Callable[[Any, float], T], timeout: float | None) -> T:
        try:
            return self._asked(ask, timeout)
        except _Cut:
            # The server may only have been started anew.
            return self._asked(ask, timeout)

    def _writing(self, do: Callable[[Any, float], object], timeout: float | None) -> None:
        try:
            self._asked(do, timeout)
        except _Cut as error:
            raise DirectoryError(Trouble.LOST, str(error)) from error

    def _asked(self, ask: Callable[[Any, float], T], timeout: float | None) -> T:
        """The answer. Raises `DirectoryError`, and `_Cut` where the connection was lost on the way."""
        connection = self._connected()
        seconds = self.access.timeout if timeout is None else min(timeout, self.access.timeout)
        try:
            connection.set_option(ldap.OPT_TIMEOUT, seconds)
            return ask(connection, seconds)
        except UnicodeError as error:
            raise DirectoryError(Trouble.REFUSED, "a value cannot be written as UTF-8") from error
        except ldap.LDAPError as error:
            trouble = _TROUBLES.get(type(error).__name__, Trouble.REFUSED)
            if type(error).__name__ not in _CUT:
                raise DirectoryError(trouble, _said(error)) from error
            self._local.held = None
            raise _Cut(trouble, f"{self.access.uri}: {_said(error)}") from error

    def _connection(self) -> Any:
        """This thread's connection, unless another process began it: that one uses it."""
        held: tuple[int, Any] | None = getattr(self._local, "held", None)
        if held is None:
            return None
        if held[0] == os.getpid():
            return held[1]
        # Should it be freed, it would say goodbye to the server in the other's name.
        self._inherited.append(held)
        self._local.held = None
        return None

    def _connected(self) -> Any:
        """A connection that is bound. Raises `DirectoryError`: away."""
        connection = self._connection()
        if connection is None:
            _check_installed()
            try:
                connection = self._bound()
            except ldap.LDAPError as error:
                secured = self.access.start_tls or self.access.uri.startswith("ldaps:")
                doubt = _CERTIFICATE if secured and type(error).__name__ in _UNTRUSTED else ""
                raise DirectoryError(Trouble.AWAY, f"{self.access.uri}: {_said(error)}{doubt}") from error
            except ValueError as error:
                raise DirectoryError(Trouble.AWAY, f"{self.access.uri}: {error}") from error
            self._local.held = (os.getpid(), connection)
        return connection

    def _bound(self) -> Any:
        access = self.access
        connection = ldap.initialize(access.uri)
        connection.protocol_version = ldap.VERSION3
        connection.set_option(ldap.OPT_REFERRALS, 0)
        connection.set_option(ldap.OPT_NETWORK_TIMEOUT, access.timeout)
        connection.set_option(ldap.OPT_TIMEOUT, access.timeout)
        connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
        if access.ca_file is not None:
            connection.set_option(ldap.OPT_X_TLS_CACERTFILE, str(access.ca_file))
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
        if access.start_tls:
            connection.start_tls_s()
        if access.external:
            connection.sasl_interactive_bind_s("", ldap.sasl.external())
        elif access.bind_dn is not None:
            password = access.password() if access.password else ""
            if not password:
                raise ValueError("the password is empty")  # a server would take us for anybody
            connection.simple_bind_s(access.bind_dn, password)
        else:
            connection.simple_bind_s("", "")  # else nobody would have connected yet
        return connection


def parsed_dn(dn: str) -> list[list[tuple[str, str]]]:
    """The RDNs of a DN, the entry's own first, each as names of attributes and values. Raises `DirectoryError`."""
    _check_installed()
    try:
        return [[(name, value) for name, value, _ in rdn] for rdn in ldap.dn.str2dn(dn)]
    except ldap.LDAPError as error:
        raise DirectoryError(Trouble.REFUSED, f"this is no DN: {dn}") from error


def _entries(found: Any) -> list[Entry]:
    """What a search has found; referrals have no DN."""
    return [Entry(dn, {name: list(map(_text, held)) for name, held in raw.items()}) for dn, raw in found if dn]


def _check_installed() -> None:
    if ldap is None:
        raise DirectoryError(Trouble.AWAY, NOT_INSTALLED)


def _said(error: Any) -> str:
    """The library's words: what it is, and what the server says of it."""
    about = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    parts = [str(about.get("desc", error)), str(about.get("info", "")).strip()]
    return ": ".join(part for part in parts if part)


def _bytes(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeError as error:
        raise DirectoryError(Trouble.REFUSED, "a value cannot be written as UTF-8") from error


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(value).decode()
