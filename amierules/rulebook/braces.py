"""Braces that are no expression, though they were most likely meant for one."""

import re

_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_HALF_OPEN = re.compile(r"(?<!\{)(?P<brace>\{)\s*[\w('\"\[-][^{}]*\}\}")


def without_expressions(text: str) -> str:
    """The text with each expression made filler of the same length."""
    return _EXPRESSION.sub(lambda whole: "x" * len(whole[0]), text)


def half_open(text: str) -> int | None:
    """Where a text has `{ name }}`: the offset of its one brace. None where braces come in pairs, as in JSON."""
    if "}}" not in text or text.count("{") >= text.count("}"):
        return None
    found = _HALF_OPEN.search(without_expressions(text))
    return None if found is None else found.start("brace")


def stray_brace(text: str) -> int | None:
    """Where a text has a brace too many beside an expression: its offset. None where braces come in pairs."""
    if text.count("{") == text.count("}"):
        return None
    outside = without_expressions(text)
    if outside == text or outside.count("{") == outside.count("}"):
        return None
    for found in _EXPRESSION.finditer(text):
        rest = outside[found.end() :]
        if rest.lstrip().startswith("}"):
            return found.end() + len(rest) - len(rest.lstrip())
        before = outside[: found.start()].rstrip()
        if before.endswith("{"):
            return len(before) - 1
    return None
