"""Where expressions stand in a shell script: outside all quotes, or refused.

A small reader of the shell's own grammar (POSIX, "Shell Command Language"): quotes, comments, substitutions,
here-documents, and which word of which simple command one is in. What it cannot be sure of, it refuses.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from amierules.templating.compiled import Expression
from amierules.templating.problems import TemplateSyntaxProblem
from amierules.templating.shell_words import KEEP_FIRST, read_as_code

_OPERATORS = frozenset(";&|()")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_MARK = "\0"
"""Stands for an expression in the text of a word: no script can hold it."""


@dataclass(frozen=True)
class Spot:
    """Where an expression stands that is safe to put a variable in its place."""

    begins_word: bool
    """Whether the value may be the beginning of a word."""
    follows: bool
    """Whether nothing but other expressions stands before it in its word: all of them may be empty."""
    behind_dashes: bool
    """Whether a `--` stands before it in its command."""


@dataclass
class _Command:
    words: list[str] = field(default_factory=list)
    is_target: bool = False
    """Whether the next word is the file of a redirection."""


def spots_of(segments: Sequence[str | Expression]) -> list[Spot]:
    """The place of each expression. Raises `TemplateSyntaxProblem` (`shell-quoting`) where one is not safe."""
    text, offsets = "", []
    source_length = 0
    for segment in segments:
        if isinstance(segment, Expression):
            offsets.append((len(text), source_length, len(segment.source) + 4))
            text += _MARK
            source_length += len(segment.source) + 4
        else:
            text += segment.replace(_MARK, "")
            source_length += len(segment)
    reader = _Reader(text, {at: (offset, length) for at, offset, length in offsets})
    reader.script()
    return reader.spots


class _Reader:
    """Goes through the script once, character by character."""

    def __init__(self, text: str, sources: dict[int, tuple[int, int]]) -> None:
        self.spots: list[Spot] = []
        self._text = text
        self._sources = sources
        self._at = 0
        self._word: str | None = None
        """The text of the word so far; None between words."""
        self._command = _Command()
        self._documents: list[tuple[str, bool]] = []
        """The delimiters of here-documents that begin after this line, and whether their tabs are dropped."""

    def script(self) -> None:
        """The whole script."""
        while self._at < len(self._text):
            self._step(self._text[self._at])
        self._end_word()
        if self._documents:
            raise self._problem("a here-document that does not end", len(self._text) - 1)

    def _step(self, character: str) -> None:
        if character == _MARK:
            self._expression()
        elif character in _SKIPS:
            begin = self._at
            _SKIPS[character](self)
            self._word = (self._word or "") + self._text[begin : self._at].strip("'\"")
        elif character == "\\":
            if self._text[self._at + 1 : self._at + 2] == _MARK:
                raise self._refused("behind a backslash", self._at + 1)
            escaped = self._text[self._at + 1 : self._at + 2]
            self._word = self._word if escaped == "\n" else (self._word or "") + escaped
            self._at += 2
        elif character == "#" and self._word is None:
            end = self._text.find("\n", self._at)
            self._skip_to(len(self._text) if end < 0 else end, "in a comment")
        elif character in " \t":
            self._end_word()
            self._at += 1
        elif character == "\n":
            self._new_line()
        elif character in "<>":
            self._redirection()
        elif character in _OPERATORS:
            self._operator()
        else:
            self._word = (self._word or "") + character
            self._at += 1

    # ------------------------------------------------------------------ words and commands

    def _expression(self) -> None:
        command = self._command
        if (self._word or "").endswith("$"):
            raise self._refused("behind a dollar sign", self._at)
        if not command.is_target:
            self._refuse_as_code(command)
        before = self._word or ""
        # What the shell puts in a variable's place may be empty.
        begins_word = before == "" or before[0] in "$`"
        self.spots.append(Spot(begins_word, before != "" and not before.strip(_MARK), "--" in command.words))
        self._word = before + _MARK
        self._at += 1

    def _refuse_as_code(self, command: _Command) -> None:
        if not command.words and not _ASSIGNMENT.match(self._word or ""):
            raise self._refused("where the name of a command is wanted", self._at)
        where = read_as_code(command.words)
        if where is not None:
            raise self._refused(where, self._at)

    def _end_word(self) -> None:
        if self._word is None:
            return
        command, word, self._word = self._command, self._word, None
        if command.is_target:
            command.is_target = False
        elif command.words or not (word in KEEP_FIRST or _ASSIGNMENT.match(word)):
            command.words.append(word)

    def _operator(self) -> None:
        self._end_word()
        if self._text.startswith("((", self._at):
            self._nested("((", "))", "in arithmetic")
            return
        self._command = _Command()
        self._at += 1

    def _new_line(self) -> None:
        self._end_word()
        self._command = _Command()
        self._at += 1
        for delimiter, without_tabs in self._documents:
            self._document(delimiter, without_tabs)
        self._documents.clear()

    # ------------------------------------------------------------------ redirections and here-documents

    def _redirection(self) -> None:
        if self._word is not None and not self._word.isdigit():
            self._end_word()
        self._word = None
        found = re.compile(r"<<<|<<-?|<>|<&|>>|>&|>\||<|>").match(self._text, self._at)
        operator = found[0] if found else self._text[self._at]
        self._at += len(operator)
        if operator in ("<<", "<<-"):
            self._delimiter(operator == "<<-")
        elif self._text.startswith("(", self._at):
            self._nested("(", ")", "in a process substitution")
        else:
            self._command.is_target = True

    def _delimiter(self, without_tabs: bool) -> None:
        found = re.compile(r"[ \t]*((?:'[^'\n]*'|\"[^\"\n]*\"|\\.|[^\s;&|<>()'\"\\])+)").match(self._text, self._at)
        if found is None:
            raise self._problem("a here-document without a delimiter", self._at)
        if _MARK in found[1]:
            raise self._refused("in the delimiter of a here-document", found.start(1) + found[1].index(_MARK))
        self._documents.append((re.sub(r"['\"\\]", "", found[1]), without_tabs))
        self._at = found.end()

    def _document(self, delimiter: str, without_tabs: bool) -> None:
        begin = self._at
        while begin < len(self._text):
            end = self._text.find("\n", begin)
            end = len(self._text) if end < 0 else end
            line = self._text[begin:end]
            if (line.lstrip("\t") if without_tabs else line) == delimiter:
                self._skip_to(end, "in a here-document")
                self._at = min(end + 1, len(self._text))
                return
            begin = end + 1
        self._skip_to(len(self._text), "in a here-document")
        raise self._problem(f"a here-document without its end '{delimiter}'", len(self._text) - 1)

    # ------------------------------------------------------------------ quotes and substitutions

    def single_quotes(self) -> None:
        """`'…'`."""
        end = self._text.find("'", self._at + 1)
        if end < 0:
            self._skip_to(len(self._text), "in quotes")
            raise self._problem("a quote that is not closed", self._at - 1)
        self._skip_to(end + 1, "in quotes")

    def double_quotes(self) -> None:
        """`"…"`, in which substitutions may have quotes of their own."""
        begin = self._at
        self._at += 1
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == '"':
                self._at += 1
                return
            self._inside(character, "in quotes", quoted=True)
        raise self._problem("a quote that is not closed", begin)

    def backticks(self) -> None:
        """A substitution in backticks."""
        begin = self._at
        self._at += 1
        while self._at < len(self._text):
            character = self._text[self._at]
            if character == "`":
                self._at += 1
                return
            self._skip_to(self._at + (2 if character == "\\" else 1), "in backticks")
        raise self._problem("a backtick that is not closed", begin)

    def dollar(self) -> None:
        """`$( )`, `${ }`, and what else begins with `$`."""
        if self._text.startswith("$(", self._at):
            self._nested("$(", ")", "in $( )")
        elif self._text.startswith("${", self._at):
            self._nested("${", "}", "in ${ }")
        elif self._text.startswith("$'", self._at):
            raise self._problem("$'…' is read in different ways by different shells", self._at)
        else:
            self._at += 1

    def _nested(self, opening: str, closing: str, where: str) -> None:
        """Up to the matching end; an expression on the way is refused."""
        begin = self._at
        self._at += len(opening)
        depth = 0
        while self._at < len(self._text):
            character = self._text[self._at]
            if depth == 0 and self._text.startswith(closing, self._at):
                self._at += len(closing)
                return
            depth += {"(": 1, ")": -1}.get(character, 0) if closing != "}" else 0
            self._inside(character, where, quoted=False)
        raise self._problem(f"`{opening}` without `{closing}`", begin)

    def _inside(self, character: str, where: str, *, quoted: bool) -> None:
        """One step inside of quotes or a substitution."""
        if character == _MARK:
            raise self._refused(where, self._at)
        if character == "\\":
            self._skip_to(min(self._at + 2, len(self._text)), where)
        elif character in "$`" or (not quoted and character in "'\""):
            _SKIPS[character](self)
        else:
            self._at += 1

    def _skip_to(self, end: int, where: str) -> None:
        found = self._text.find(_MARK, self._at, end)
        if found >= 0:
            raise self._refused(where, found)
        self._at = end

    def _refused(self, where: str, at: int) -> TemplateSyntaxProblem:
        offset, length = self._sources[at]
        message = f"an expression cannot stand {where}"
        return TemplateSyntaxProblem(message, offset, length, code="shell-quoting", hint=_HINT)

    def _problem(self, message: str, at: int) -> TemplateSyntaxProblem:
        before = sum(length - 1 for mark, (_, length) in self._sources.items() if mark < at)
        return TemplateSyntaxProblem(message, max(0, at + before), code="shell-quoting", hint=_HINT)


_HINT = "write each {{ }} as a word of its own, outside of all quotes: it becomes a quoted variable"

_SKIPS: dict[str, Callable[[_Reader], None]] = {
    "'": _Reader.single_quotes,
    '"': _Reader.double_quotes,
    "`": _Reader.backticks,
    "$": _Reader.dollar,
}
