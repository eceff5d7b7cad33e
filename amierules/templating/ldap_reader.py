"""Reads DNs and filters of LDAP before there are any values: character by character, an expression as one of them."""

import string
from collections.abc import Iterator
from dataclasses import dataclass

from amierules.templating.commands import segments_of
from amierules.templating.compiled import Expression
from amierules.templating.problems import TemplateSyntaxProblem
from amierules.templating.sandbox import Sandbox

ONLY_VALUES = "expressions stand in values alone, like uid={{ person.login }}"
_NAME = frozenset(string.ascii_letters + string.digits + "-.")


@dataclass(frozen=True)
class _Atom:
    """A character as it is written, or an expression."""

    what: str | Expression
    offset: int

    @property
    def character(self) -> str:
        """The character; empty for an expression."""
        return self.what if isinstance(self.what, str) else ""


class Reader:
    """Reads the atoms one by one. Raises `TemplateSyntaxProblem` with the code of what is read."""

    def __init__(self, code: str, sandbox: Sandbox, source: str) -> None:
        self._code = code
        self._source = source
        self._atoms = list(_atoms(segments_of(sandbox, source), source))
        self.at = 0

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """All expressions, in order."""
        return tuple(atom.what for atom in self._atoms if isinstance(atom.what, Expression))

    def peek(self, length: int = 1) -> str:
        """The next characters; they end before an expression."""
        return "".join(atom.character for atom in self._atoms[self.at : self.at + length])

    def next(self) -> str | Expression | None:
        """The next character or expression; None at the end."""
        atom = self._atoms[self.at] if self.at < len(self._atoms) else None
        self.at += 1
        return atom.what if atom is not None else None

    @property
    def done(self) -> bool:
        """Whether all was read."""
        return self.at >= len(self._atoms)

    def skip_space(self) -> None:
        """Goes on to what is no white space."""
        while self.peek() and self.peek().isspace():
            self.at += 1

    def name(self) -> str:
        """The name of an attribute."""
        begin = self.at
        while self.peek() in _NAME and not self.done:
            self.at += 1
        if self.at == begin:
            if not self.done and not self.peek():
                raise self.wrong("an expression stands where the name of an attribute is wanted", ONLY_VALUES)
            raise self.wrong("the name of an attribute is missing", "")
        return "".join(atom.character for atom in self._atoms[begin : self.at])

    def wrong(self, message: str, hint: str = "") -> TemplateSyntaxProblem:
        """What is wrong at this place."""
        last = len(self._source)
        offset = self._atoms[self.at].offset if self.at < len(self._atoms) else last
        return TemplateSyntaxProblem(message, min(offset, max(last - 1, 0)), 1, code=self._code, hint=hint)


def _atoms(segments: list[str | Expression], source: str) -> Iterator[_Atom]:
    position = 0
    for segment in segments:
        if isinstance(segment, Expression):
            yield _Atom(segment, max(segment.offset - 2, 0))
            position = segment.offset + len(segment.source)
            continue
        begin = max(source.find(segment, position), position)
        yield from (_Atom(character, begin + number) for number, character in enumerate(segment))
        position = begin + len(segment)
