"""A directory (LDAP) as actions see it: entries, modifications as values, and what can go wrong, told apart."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NoReturn, Protocol

Rdns = Sequence[Mapping[str, str]]
"""The RDNs of a DN, the entry's own first: values by the names of attributes, not escaped."""


class Trouble(StrEnum):
    """What kept the server from doing what it was asked."""

    AWAY = "away"
    """It cannot be reached, or lets nobody in: nothing was done."""
    BUSY = "busy"
    """It says that it cannot do it now."""
    LOST = "lost"
    """The connection was lost, or no answer came in time, after a change was sent: it may have been made."""
    NOT_THERE = "not there"
    EXISTS = "exists"
    """An entry of this DN."""
    VIOLATION = "violation"
    """A constraint, like that of a value which must be unique."""
    VALUE_EXISTS = "value exists"
    """An attribute has the value that was to be added."""
    NO_SUCH_VALUE = "no such value"
    """An attribute lacks the value that was to be removed."""
    REFUSED = "refused"
    """All else: the schema, missing rights, an entry with others below it."""


class DirectoryError(Exception):
    """The server did not do what it was asked; the message says why, for people."""

    def __init__(self, trouble: Trouble, message: str) -> None:
        super().__init__(message)
        self.trouble = trouble


@dataclass(frozen=True)
class Entry:
    """An entry. Values are texts; those that are none in UTF-8 are in base64, marked `base64:`."""

    dn: str
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By the names that the server gives them."""

    def values(self, name: str) -> Sequence[str]:
        """The values of an attribute, however its name is written; none where it is not there."""
        return next((held for known, held in self.attributes.items() if known.lower() == name.lower()), ())


@dataclass(frozen=True)
class Modification:
    """One change of an attribute: `add` or `delete` these values, or `replace` all by these."""

    op: str
    attribute: str
    values: Sequence[str]


class Directory(Protocol):
    """A directory server. Each call may take `timeout` seconds, and raises `DirectoryError`.

    What only reads is tried once more on a new connection where the old one was lost.
    """

    def dn(self, rdns: Rdns, base: str) -> str:
        """The DN of an entry below `base`, its values escaped."""

    def filter(self, parts: Sequence[str]) -> str:
        """A filter of what is written and of values, in turn; the values are escaped."""

    def read(self, dn: str, timeout: float | None = None) -> Entry | None:
        """The entry, with all that is no operational attribute; None where there is none."""

    def search(
        self, base: str, scope: str, filter_text: str, attributes: Sequence[str], timeout: float | None = None
    ) -> list[Entry]:
        """The entries that match, with these attributes or with all. `scope` is `base`, `one` or `sub`."""

    def every(self, base: str, filter_text: str, attributes: Sequence[str]) -> Iterator[Entry]:
        """All entries below `base` that match, however many, with these attributes; they come page by page."""

    def compare(self, dn: str, attribute: str, value: str, timeout: float | None = None) -> bool:
        """Whether the entry has the value, in the server's opinion; not where there is no such attribute or entry."""

    def add(self, dn: str, attributes: Mapping[str, Sequence[str]], timeout: float | None = None) -> None:
        """Make an entry."""

    def modify(self, dn: str, modifications: Sequence[Modification], timeout: float | None = None) -> None:
        """Change an entry, in one step: all modifications or none."""

    def delete(self, dn: str, timeout: float | None = None) -> None:
        """Remove an entry that has none below it."""


@dataclass(frozen=True)
class NoDirectory:
    """Where no directory is configured: whatever is asked is refused, and the reason says what to do."""

    def _refused(self, *_asked: object, **_named: object) -> NoReturn:
        raise DirectoryError(Trouble.REFUSED, "the configuration has no section `ldap`")

    dn = filter = read = search = every = compare = add = modify = delete = _refused
