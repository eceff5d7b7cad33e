"""DNs and filters of LDAP: expressions stand in their values alone, so that no value changes what they are.

RFC 4514 (DNs) and RFC 4515 (filters) say how they are written. They are taken apart before there are any values; the
values are kept apart from what is written, and escaped by the library of LDAP where both come together.
"""

import string
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from amierules.diagnostics import printable
from amierules.templating.commands import segments_of
from amierules.templating.compiled import Expression, Names
from amierules.templating.complaints import Doubt
from amierules.templating.facts import Facts
from amierules.templating.inference import StaticNames
from amierules.templating.ldap_reader import ONLY_VALUES, Reader
from amierules.templating.parsing import normalised
from amierules.templating.problems import EvaluationError
from amierules.templating.sandbox import Sandbox
from amierules.templating.secret import Secret
from amierules.templating.unknown import Unknown, UnknownUsed
from amierules.templating.values import as_text

DN, FILTER = "ldap-dn", "ldap-filter"
_SPECIAL = ',+"\\<>;='
_OPERATORS = (">=", "<=", "~=", ":=", "=")


@dataclass(frozen=True)
class _Value:
    """A value: literal texts and expressions, in order."""

    parts: tuple[str | Expression, ...]


class DistinguishedName:
    """A DN below some base: names and values of its RDNs, of which the values may hold expressions."""

    def __init__(self, sandbox: Sandbox, source: str) -> None:
        """Raises `TemplateSyntaxProblem` with the code `ldap-dn`."""
        self.source = source
        reader = Reader(DN, sandbox, normalised(source))
        self.expressions = reader.expressions
        self.names = _names(self.expressions)
        self.rdns = [_rdn(reader)]
        while reader.peek() == ",":
            reader.next()
            self.rdns.append(_rdn(reader))
        if not reader.done:
            raise reader.wrong(f"'{printable(reader.peek())}' must be escaped in a DN: \\{reader.peek()}")

    def infer(self, names: StaticNames, facts: Facts, report: Callable[[Doubt], None]) -> None:
        """Reports what cannot go well."""
        for expression in self.expressions:
            expression.infer_text(names, facts, report)

    def evaluate(self, names: Names) -> list[dict[str, str | Unknown]]:
        """The RDNs, the entry's own first: values by the names of attributes, not escaped. Raises `EvaluationError`."""
        return [{name: _evaluated(value, names, DN, "a DN") for name, value in rdn.items()} for rdn in self.rdns]


def _rdn(reader: Reader) -> dict[str, _Value]:
    found: dict[str, _Value] = {}
    while True:
        reader.skip_space()
        begin = reader.at
        name = reader.name()
        if name.lower() in map(str.lower, found):
            reader.at = begin
            raise reader.wrong(f"'{printable(name)}' stands twice in one RDN")
        reader.skip_space()
        if reader.peek() != "=":
            raise reader.wrong("'=' is missing behind the name of an attribute")
        reader.next()
        found[name] = _value_of_dn(reader)
        if reader.peek() != "+":
            return found
        reader.next()


def _value_of_dn(reader: Reader) -> _Value:
    reader.skip_space()
    if reader.peek() == "#":
        raise reader.wrong("a value that begins with '#' is escaped: \\#")
    parts: list[str | Expression] = []
    kept = 0
    """How much of the last literal part does not count as white space at the end."""
    while not reader.done and reader.peek() not in (",", "+"):
        if reader.peek() and reader.peek() in _SPECIAL.replace("\\", ""):
            raise reader.wrong(f"'{reader.peek()}' is escaped in a value: \\{reader.peek()}")
        escaped = reader.peek() == "\\"
        found = _unescaped(reader) if escaped else reader.next()
        if isinstance(found, Expression):
            parts.append(found)
            continue
        if not parts or not isinstance(parts[-1], str):
            parts.append("")
            kept = 0
        parts[-1] = f"{parts[-1]}{found}"
        if escaped or not str(found).isspace():
            kept = len(str(parts[-1]))
    if parts and isinstance(parts[-1], str):
        parts[-1] = parts[-1][:kept]
    if not any(parts):
        raise reader.wrong("a value is missing")
    return _Value(tuple(part for part in parts if part != ""))


def _unescaped(reader: Reader) -> str:
    """What a backslash and what follows it stand for: a special character, or the bytes of a character in UTF-8."""
    begin, raw = reader.at, b""
    while reader.peek() == "\\":
        pair = reader.peek(3)[1:]
        if len(pair) == 2 and all(digit in string.hexdigits for digit in pair):
            raw += bytes.fromhex(pair)
            reader.at += 3
        elif not raw and pair[:1] and pair[0] in _SPECIAL + " #":
            reader.at += 2
            return pair[0]
        else:
            break
    try:
        if not raw:
            raise ValueError
        return raw.decode()
    except ValueError:
        reader.at = begin
        message = 'a backslash stands before one of , + " \\ < > ; = # or a space, or before two hexadecimal digits'
        raise reader.wrong(message) from None


class Filter:
    """A search filter, in which expressions stand for values or parts of them."""

    def __init__(self, sandbox: Sandbox, source: str) -> None:
        """Raises `TemplateSyntaxProblem` with the code `ldap-filter`."""
        self.source = source
        text = normalised(source).strip()
        reader = Reader(FILTER, sandbox, text)
        self.expressions = reader.expressions
        self.names = _names(self.expressions)
        self._segments = segments_of(sandbox, text)
        _filter(reader)
        if not reader.done:
            raise reader.wrong("the filter has ended before this", "several filters stand in one: (&(a=1)(b=2))")

    def infer(self, names: StaticNames, facts: Facts, report: Callable[[Doubt], None]) -> None:
        """Reports what cannot go well."""
        for expression in self.expressions:
            expression.infer_text(names, facts, report)

    def evaluate(self, names: Names) -> list[str | Unknown]:
        """What is written and values that are not escaped, in turn; the first is written. Raises `EvaluationError`."""
        found: list[str | Unknown] = [""]
        for segment in self._segments:
            if isinstance(segment, str):
                found[-1] = segment
            else:
                found += [_evaluated(_Value((segment,)), names, FILTER, "a filter"), ""]
        return found


def _filter(reader: Reader) -> None:
    reader.skip_space()
    if reader.peek() != "(":
        raise reader.wrong("a filter stands in parentheses", "like (uid={{ person.login }})")
    reader.next()
    reader.skip_space()
    if reader.peek() and reader.peek() in "&|!":
        negated = reader.next() == "!"
        _filter(reader)
        reader.skip_space()
        while not negated and reader.peek() == "(":
            _filter(reader)
            reader.skip_space()
    else:
        _comparison(reader)
    if reader.peek() != ")":
        raise reader.wrong("')' is missing")
    reader.next()


def _comparison(reader: Reader) -> None:
    """An attribute, an operator, and a value."""
    if reader.peek() != ":":
        reader.name()
    while reader.peek() in (";", ":") and reader.peek(2) != ":=":
        reader.next()
        reader.name()
    operator = next((one for one in _OPERATORS if reader.peek(len(one)) == one), None)
    if operator is None:
        raise reader.wrong("an operator is missing: =, >=, <= or ~=", ONLY_VALUES if not reader.peek() else "")
    reader.at += len(operator)
    begin = reader.at
    while not reader.done and reader.peek() not in ("(", ")"):
        if reader.peek() == "\\" and not _is_hexadecimal(reader.peek(3)[1:]):
            raise reader.wrong("a backslash stands before two hexadecimal digits: \\2a is '*', \\28 is '('")
        reader.next()
    if reader.peek() == "(":
        raise reader.wrong("'(' is escaped in a value: \\28")
    if reader.at == begin:
        raise reader.wrong("a value is missing", "(uid=*) finds what has any")


def _is_hexadecimal(pair: str) -> bool:
    return len(pair) == 2 and all(digit in string.hexdigits for digit in pair)


def _names(expressions: tuple[Expression, ...]) -> frozenset[str]:
    return frozenset(name for expression in expressions for name in expression.names)


def _evaluated(value: _Value, names: Names, code: str, where: str) -> str | Unknown:
    found = [part if isinstance(part, str) else _text(part, names, code, where) for part in value.parts]
    unknown = next((part for part in found if isinstance(part, Unknown)), None)
    if unknown is None:
        return "".join(map(str, found))
    return unknown if len(found) == 1 else Unknown(unknown.step)


def _foretold(value: Unknown) -> Unknown:
    """With the text that it will probably be: what is expected may be a number, of which no filter can be made."""
    if not value.has_expected or value.expected is None or isinstance(value.expected, str):
        return value
    text = as_text(value.expected)
    return Unknown(value.step, text) if isinstance(text, str) else Unknown(value.step)


def _text(expression: Expression, names: Names, code: str, where: str) -> str | Unknown:
    """The value as a text: an empty one would change what the whole means. Raises `EvaluationError`."""
    source = expression.source.strip()
    shown = printable(source, 60)
    try:
        found = expression.value(names)
        if isinstance(found, Unknown):
            return _foretold(found)
        if found is None:
            raise EvaluationError(f"`{shown}` is none; {where} needs a value", "none-in-text", source)
        text = as_text(found)
    except UnknownUsed as used:
        return Unknown(used.step)
    if isinstance(text, Secret):
        raise EvaluationError(f"`{shown}` is a secret; {where} is shown", "secret-shown", source)
    if not text.strip():
        raise EvaluationError(f"`{shown}` is empty; {where} needs a value", code, source)
    if "\0" in text:
        raise EvaluationError(f"`{shown}` holds a NUL character", "nul-character", source)
    if code == DN and any(unicodedata.category(character) == "Cc" for character in text):
        # Servers leave some of them out where they compare DNs: two values would mean one entry.
        raise EvaluationError(f"`{shown}` holds a control character; {where} has none", code, source)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise EvaluationError(f"`{shown}` holds half a character (a lone surrogate)", code, source) from error
    return text
