"""From source to Jinja's syntax tree, with the place of whatever is wrong."""

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from jinja2 import TemplateSyntaxError, nodes
from jinja2.lexer import TokenStream
from jinja2.parser import Parser

from amierules.diagnostics import printable
from amierules.templating.foreign import SIGNS
from amierules.templating.problems import TemplateSyntaxProblem
from amierules.templating.sandbox import Sandbox

_INNERMOST = re.compile(r"innermost block that needs to be closed is '(\w+)'")
_TEST_BEFORE_IF = re.compile(r"\bis\s+(?:not\s+)?\w+\s+if\b")


class Token(NamedTuple):
    """A token as Jinja's lexer sees it, with its offset in the source."""

    kind: str
    text: str
    offset: int


@dataclass
class _Cursor:
    offset: int = 0
    length: int = 1


def normalised(source: str) -> str:
    """The source with line breaks as Jinja's lexer sees them; all offsets are in this."""
    return source.replace("\r\n", "\n").replace("\r", "\n")


def tokens(sandbox: Sandbox, source: str) -> list[Token]:
    """All tokens of a template's source, white space included. Raises `TemplateSyntaxProblem`."""
    cursor = _Cursor()
    with _places(cursor, source):
        return list(_tokens(sandbox, source, None, cursor))


def parse_expression(sandbox: Sandbox, source: str) -> nodes.Expr:
    """The tree of a bare expression. Raises `TemplateSyntaxProblem`."""
    source = normalised(source)
    cursor = _Cursor()
    with _places(cursor, source):
        parser = _parser(sandbox, source, "variable", cursor)
        tree = parser.parse_expression()
        if not parser.stream.eos:
            if zeros := re.search(r"(?<![\w.])0+$", source[: cursor.offset]):
                cursor = _Cursor(zeros.start(), cursor.length + len(zeros[0]))
            shown = printable(source[cursor.offset : cursor.offset + cursor.length], 60)
            message = f"`{shown}` does not belong to the expression before it{_advice(source, cursor.offset)}"
            raise TemplateSyntaxProblem(message, cursor.offset, cursor.length)
        return tree


def parse_template(sandbox: Sandbox, source: str) -> nodes.Template:
    """The tree of a template. Raises `TemplateSyntaxProblem`."""
    source = normalised(source)
    cursor = _Cursor()
    with _places(cursor, source):
        return _parser(sandbox, source, None, cursor).parse()


def _parser(sandbox: Sandbox, source: str, state: str | None, cursor: _Cursor) -> Parser:
    # Jinja's parser takes only a source; its stream is exchanged for one that keeps offsets: each node has the
    # offset of its first token where Jinja has the number of the line.
    parser = Parser(sandbox, "")
    raw = ((token.offset, token.kind, token.text) for token in _tokens(sandbox, source, state, cursor))
    parser.stream = TokenStream(sandbox.lexer.wrap(raw), None, None)
    return parser


def _tokens(sandbox: Sandbox, source: str, state: str | None, cursor: _Cursor) -> Iterator[Token]:
    position = 0
    for _line, kind, text in sandbox.lexer.tokeniter(source, None, None, state):
        # The lexer drops white space beside `{{-`, so the token may stand further on.
        offset = max(source.find(text, position), position)
        position = offset + len(text)
        if kind != "whitespace":
            cursor.offset, cursor.length = offset, max(len(text.rstrip()), 1)
        yield Token(kind, text, offset)
    cursor.offset, cursor.length = len(source), 1


@contextmanager
def _places(cursor: _Cursor, source: str) -> Iterator[None]:
    try:
        with warnings.catch_warnings():
            # An escape like `\d` in an expression's text is kept as it stands, as Jinja does, without Python's warning.
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
    except TemplateSyntaxError as error:
        message = error.message or "no valid expression"
        stated = re.search(r" at (\d+)$", message)
        if stated:
            offset = int(stated.group(1))
            raise TemplateSyntaxProblem(_plain(message[: stated.start()], source, offset), offset) from error
        offset = min(cursor.offset, len(source))
        if message == "unexpected '}'" and (brace := source.find("}", offset)) >= 0:
            raise TemplateSyntaxProblem(_plain(message, source, brace), brace) from error
        raise TemplateSyntaxProblem(_plain(message, source, offset), offset, cursor.length) from error
    except RecursionError as error:
        raise TemplateSyntaxProblem("the expression is nested too deeply") from error
    except (ValueError, OverflowError, MemoryError) as error:
        raise TemplateSyntaxProblem("a number that is too large", cursor.offset, cursor.length) from error


def _plain(message: str, source: str, offset: int) -> str:
    if found := _INNERMOST.search(message):
        block = found[1]
        return f"`{{% {block} %}}` is not closed; write `{{% end{block} %}}`"
    message = message.replace("end of print statement", "}}").removesuffix(".")
    plain = re.sub(r"unexpected '?end of template'?, expected (.+)", r"the text ends where \1 is expected", message)
    plain = re.sub(r"unexpected '?end of template'?", "the text ends where a value is expected", plain)
    if found := re.match(r"unexpected char (['\"])(.+)\1$", plain):
        sign = found[2].removeprefix("\\")
        plain = f"the text that begins with {sign} does not end" if sign in "'\"" else f"`{sign}` means nothing here"
    return printable(plain) + _advice(source, offset)


def _advice(source: str, offset: int) -> str:
    rest, wider = source[offset:], source[max(offset - 1, 0) :]
    if number := re.match(r"0\d+", rest):
        return f"; a number has no leading zero, and a text stands in quotes: '{number[0]}'"
    for sign, advice in SIGNS.items():
        if rest.startswith(sign) or (len(sign) == 2 and wider.startswith(sign)):
            return f"; {advice}"
    # Jinja takes the `if` behind a test for the test's argument.
    return "; put the test before `if` in parentheses" if _TEST_BEFORE_IF.search(source) else ""
