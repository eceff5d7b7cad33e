"""What a grid-mapfile says, line by line: entries that are ours to change, and all else kept byte for byte.

A line is `"DN" LOGIN[,LOGIN...]`; a DN without spaces may stand without quotes. Inside, `\\xHH` is a byte and `\\c` the
character c. The first line of a DN counts. What follows the logins after a blank is further logins to some readers, and
nothing to others (gridmap.c of the Grid Community Toolkit and of the Globus Toolkit before it, which reads lines of at
most 1,023 bytes).
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

MAX_LINE = 1000
"""Bytes. Older readers cut a longer line, and would take what is left of it for a line of its own."""

_RAW = re.compile(rb"[^\n]*\n|[^\n]+")
_BLANKS = re.compile(rb"[ \t]*")
_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PLAIN = re.compile(rb"([^ \t]+)(?=[ \t])")
_ESCAPED = re.compile(rb"\\(?:x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_LOGIN = re.compile(rb"[^ \t,]+")
_SEPARATORS = (
    (re.compile(rb",[ \t]*"), re.compile(rb",[ \t]*\Z")),
    (re.compile(rb"[ \t]+(?=[^ \t\r\n])"), re.compile(rb"[ \t]+\Z")),
)
"""What goes with a login, after it or before it: a comma, else blanks."""
_SEEN = re.compile(rb"[^ \t]*")
_UNFIT = ("Cc", "Zl", "Zp")


class Unfit(ValueError):
    """A DN, or a line with it, that no grid-mapfile can hold; the text says why."""


def written(dn: bytes) -> str:
    """A DN as it stands between the quotes: quotes, backslashes, controls and what is no UTF-8 as `\\xHH`."""
    text = dn.decode("utf-8", "surrogateescape")
    return "".join(_escaped(character) if _is_special(character) else character for character in text)


def read(text: str) -> bytes:
    """The DN that stands between the quotes as `text`."""
    return _unescaped(text.encode("utf-8", "surrogateescape"))


def dn_bytes(dn: str) -> bytes:
    """The bytes of a DN. Raises `Unfit` for one that can stand in no file."""
    if not dn.strip():
        raise Unfit("is empty")
    if "\0" in dn:
        raise Unfit("has a NUL character")
    try:
        return dn.encode("utf-8")
    except UnicodeEncodeError:
        raise Unfit("cannot be written as UTF-8") from None


def _is_special(character: str) -> bool:
    return character in '"\\' or "\udc80" <= character <= "\udcff" or unicodedata.category(character) in _UNFIT


def _escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode("utf-8", "surrogateescape"))


def _unescaped(text: bytes) -> bytes:
    return _ESCAPED.sub(lambda found: bytes.fromhex(found[1].decode()) if found[1] else found[2], text)


@dataclass(frozen=True)
class Line:
    """A line with its end, and, where it is an entry, its DN and where the logins stand."""

    raw: bytes
    dn: bytes | None = None
    start: int = 0
    """Where the logins begin."""
    end: int = 0
    """Where the DN ends, with its quote."""
    stop: int = 0
    """Where the text ends."""

    @classmethod
    def of(cls, raw: bytes) -> "Line":
        """Reads a line. What a reader would skip, or could not read, is no entry."""
        text = raw.removesuffix(b"\n").removesuffix(b"\r")
        begin = _BLANKS.match(text)
        at = begin.end() if begin else 0
        if text[at : at + 1] in (b"", b"#"):
            return cls(raw)
        found = (_QUOTED if text[at : at + 1] == b'"' else _PLAIN).match(text, at)
        if found is None:
            return cls(raw)
        blanks = _BLANKS.match(text, found.end())
        start = blanks.end() if blanks else found.end()
        return cls(raw, _unescaped(found[1]), start, found.end(), len(text))

    @property
    def logins(self) -> tuple[bytes, ...]:
        """The logins of an entry that every reader sees, the default first."""
        return tuple(_LOGIN.findall(self._seen()))

    def names(self, login: bytes) -> bool:
        """Whether any reader takes the entry for one of the login."""
        return self.dn is not None and login in self._words()

    def _seen(self) -> bytes:
        """The logins up to the first blank."""
        found = _SEEN.match(self.raw, self.start, self.stop) if self.dn is not None else None
        return found[0] if found else b""

    def _words(self) -> list[bytes]:
        return _LOGIN.findall(self.raw, self.start, self.stop)

    def with_login(self, login: bytes) -> "Line":
        """The entry with a further login, after those that every reader sees. Raises `Unfit`."""
        at = self.start + len(self._seen().rstrip(b","))
        before = b"," if at > self.start else b" " if self.start == self.end else b""
        return Line.of(_short(self.raw[:at] + before + login + self.raw[at:]))

    def without_login(self, login: bytes) -> "Line | None":
        """The entry without a login; None where no other is left, but a comment at most."""
        left = [word for word in self._words() if word != login]
        if not left or left[0].startswith(b"#"):
            return None
        raw = self.raw
        for found in reversed(list(_LOGIN.finditer(raw, self.start, self.stop))):
            if found[0] == login:
                raw = _without(raw, found.start(), found.end())
        return Line.of(raw)


def _without(raw: bytes, start: int, end: int) -> bytes:
    for after, before in _SEPARATORS:
        if (found := after.match(raw, end)) is not None:
            return raw[:start] + raw[found.end() :]
        if (found := before.search(raw[:start])) is not None:
            return raw[: found.start()] + raw[end:]
    return raw[:start] + raw[end:]


def _short(line: bytes) -> bytes:
    if len(line) > MAX_LINE:
        raise Unfit(f"makes a line of more than {MAX_LINE} bytes, which some programs read as two")
    return line


@dataclass(frozen=True)
class MapFile:
    """A grid-mapfile. Nothing changes it; what changes is returned."""

    lines: tuple[Line, ...]

    @classmethod
    def of(cls, content: bytes) -> "MapFile":
        """Reads what a file holds."""
        return cls(tuple(Line.of(raw) for raw in _RAW.findall(content)))

    @cached_property
    def content(self) -> bytes:
        """What the file holds."""
        return b"".join(line.raw for line in self.lines)

    def stands_for(self, dn: bytes, login: bytes) -> bool:
        """Whether the DN may use the login: the first line of a DN decides."""
        return any(login in line.logins for line in self._entries(dn)[:1])

    def names(self, dn: bytes, login: bytes) -> bool:
        """Whether any line has the DN with the login."""
        return any(line.names(login) for line in self._entries(dn))

    def dns_of(self, login: bytes) -> list[bytes]:
        """The DNs of all lines with the login, each once."""
        return list(dict.fromkeys(line.dn for line in self.lines if line.dn is not None and line.names(login)))

    def with_entry(self, dn: bytes, login: bytes) -> "MapFile":
        """With the login in the DN's first line, or in a new one. Raises `Unfit`."""
        if self.stands_for(dn, login):
            return self
        first = next((at for at, line in enumerate(self.lines) if line.dn == dn), None)
        if first is not None:
            return MapFile((*self.lines[:first], self.lines[first].with_login(login), *self.lines[first + 1 :]))
        new = Line.of(_short(b'"%s" %s\n' % (written(dn).encode(), login)))
        return MapFile((*_ended(self.lines), new))

    def without_entry(self, dn: bytes, login: bytes) -> "MapFile":
        """Without the login in any line of the DN; a line that has no other login goes."""
        changed = (line.without_login(login) if line.dn == dn and line.names(login) else line for line in self.lines)
        return MapFile(tuple(line for line in changed if line is not None))

    def _entries(self, dn: bytes) -> list[Line]:
        return [line for line in self.lines if line.dn == dn]


def _ended(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """The lines, the last of which ends."""
    if not lines or lines[-1].raw.endswith(b"\n"):
        return lines
    return (*lines[:-1], Line.of(lines[-1].raw + b"\n"))
