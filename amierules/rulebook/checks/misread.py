"""Texts that look as if they said something to YAML or Jinja, and say it not, or not all of it."""

import re
from collections.abc import Iterator

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.rulebook.braces import stray_brace
from amierules.rulebook.checks.view import FileView, Surroundings
from amierules.rulebook.naming import BUILT_IN
from amierules.rulebook.nodes import ListNode, Node, ScalarNode, Style
from amierules.rulebook.positions import place_at

_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_SINGLE_BRACES = re.compile(rf"(?<!\{{)\$?\{{\s*(?:{'|'.join(sorted(BUILT_IN))})\.\w[^{{}}]*\}}(?!\}})")
_INSIDE_ANOTHER = re.compile(r"\{\{(?:(?!\}\}|\{\{).)*(?P<inner>\{\{(?:(?!\}\}).)*\}\})", re.DOTALL)
_COMMENT = re.compile(r"\s+(?P<comment>#\w.*)")


def check_misread(view: FileView, _surroundings: Surroundings) -> Iterator[Finding]:
    """Braces that make no expression, brackets that make no list, and values that a `#` cuts off."""
    lines = view.text.splitlines()
    for node in _scalars(view.root):
        if "{" in node.text:
            yield from _braces(node)
        yield from _stray(node)
        yield from _cut(node, lines)
        if node.style is Style.PLAIN and node.text.endswith('"') and node.text.count('"') % 2:
            at = place_at(node, len(node.text) - 1)
            message = "the value ends with a quote, and begins with none: it is part of the text"
            yield Finding("stray-quote", message, at, "put a quote before the value too", Severity.WARNING)


def _braces(node: ScalarNode) -> Iterator[Finding]:
    expressions = [one.span() for one in _EXPRESSION.finditer(node.text)]
    # Braces inside an expression make a mapping.
    outside = (
        one
        for one in _SINGLE_BRACES.finditer(node.text)
        if not any(begin < one.start() and one.end() < end for begin, end in expressions)
    )
    found = next(outside, None)
    if found is not None:
        yield _plain_text(node, found[0], found.start(), "an expression stands in {{ }}")
    inner = _INSIDE_ANOTHER.search(node.text)
    if inner is not None:
        hint = "inside {{ }} names stand by themselves, and texts are joined with ~"
        yield _plain_text(node, inner["inner"], inner.start("inner"), hint)


def _stray(node: ScalarNode) -> Iterator[Finding]:
    offset = stray_brace(node.text)
    if offset is not None:
        message = f"this '{node.text[offset]}' belongs to no expression: it is part of the text"
        hint = "an expression has two braces on each side; remove the third"
        yield Finding("stray-brace", message, place_at(node, offset), hint, Severity.WARNING)
    elif node.style is Style.PLAIN and node.text.endswith("]") and "[" not in node.text:
        message = "the value ends with ']', and begins with no '[': it is a text, and no list"
        hint = f"write [{printable(node.text, 100)}"
        yield Finding("stray-brace", message, place_at(node, len(node.text) - 1), hint, Severity.WARNING)


def _plain_text(node: ScalarNode, text: str, offset: int, hint: str) -> Finding:
    message = f"'{printable(text, 60)}' is a plain text here"
    return Finding("looks-like-template", message, place_at(node, offset, len(text)), hint, Severity.WARNING)


def _cut(node: ScalarNode, lines: list[str]) -> Iterator[Finding]:
    place = node.place
    if node.style is not Style.PLAIN or not node.raw or "\n" in node.raw or place.line > len(lines):
        return
    found = _COMMENT.match(lines[place.line - 1], place.column - 1 + len(node.raw))
    if found is not None:
        message = f"'{printable(found['comment'].rstrip(), 60)}' is a comment, and no part of the value"
        hint = f'write "{printable(node.text + found[0].rstrip(), 100)}"; a comment has a space behind #'
        at = Place(place.file, place.line, found.start("comment") + 1, len(found["comment"].rstrip()))
        yield Finding("cut-by-comment", message, at, hint, Severity.WARNING)


def _scalars(root: Node) -> Iterator[ScalarNode]:
    left = [root]
    while left:
        node = left.pop()
        if isinstance(node, ScalarNode):
            yield node
        else:
            left.extend(node.items if isinstance(node, ListNode) else node.values.values())
