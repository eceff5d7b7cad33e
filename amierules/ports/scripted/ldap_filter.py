"""Filters of LDAP (RFC 4515) on entries in memory, without regard to case: what searches of rule tests need."""

import re
from collections.abc import Iterator

from amierules.ports.directory import DirectoryError, Entry, Trouble

_COMPARISON = re.compile(r"([A-Za-z][A-Za-z0-9;.-]*)(>=|<=|~=|=)([^()]*)")
_ESCAPE = re.compile(rb"\\([0-9A-Fa-f]{2})")


def same_value(one: str, other: str) -> bool:
    """Whether two values are the same to most attributes: without regard to case and to how many spaces there are."""
    return _folded(one) == _folded(other)


def matches(text: str, entry: Entry) -> bool:
    """Whether the entry matches the filter. Raises `DirectoryError` for a text that is no filter."""
    reader = _Reader(text)
    found = reader.filter(entry)
    if reader.rest:
        raise _bad(text)
    return found


class _Reader:
    """Reads a filter and asks the entry on the way: every part is read, whatever the ones before it say."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def rest(self) -> str:
        """What is not read yet."""
        return self._text[self._at :]

    def filter(self, entry: Entry) -> bool:
        """One filter in parentheses."""
        self._take("(")
        sign = self.rest[:1]
        if sign in ("&", "|", "!"):
            self._take(sign)
            parts = list(self._parts(entry))
            found = any(parts) if sign == "|" else all(parts) if sign == "&" else not parts[0]
        else:
            compared = _COMPARISON.match(self._text, self._at)
            if compared is None:
                raise _bad(self._text)
            self._at = compared.end()
            found = _holds(entry, *compared.groups())
        self._take(")")
        return found

    def _parts(self, entry: Entry) -> Iterator[bool]:
        while self.rest.startswith("("):
            yield self.filter(entry)

    def _take(self, sign: str) -> None:
        if not self.rest.startswith(sign):
            raise _bad(self._text)
        self._at += 1


def _holds(entry: Entry, attribute: str, sign: str, wanted: str) -> bool:
    held = entry.values(attribute)
    if sign == ">=":
        return any(_order(one) >= _order(_plain(wanted)) for one in held)
    if sign == "<=":
        return any(_order(one) <= _order(_plain(wanted)) for one in held)
    if wanted == "*":
        return bool(held)
    pattern = ".*".join(re.escape(_folded(_plain(part))) for part in wanted.split("*"))
    return any(re.fullmatch(pattern, _folded(one), re.DOTALL) for one in held)


def _order(value: str) -> tuple[int, str]:
    return (int(value), "") if value.isdecimal() else (0, _folded(value))


def _plain(text: str) -> str:
    return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode()).decode("utf-8", "replace")


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _bad(text: str) -> DirectoryError:
    return DirectoryError(Trouble.REFUSED, f"Bad search filter: {text}")
