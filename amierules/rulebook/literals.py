"""Parameters written as plain texts: what can be said of them before anything is rendered."""

import re
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from amierules.diagnostics import Finding, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.rulebook.compiled import TemplateValue
from amierules.rulebook.model import Compiled
from amierules.rulebook.nodes import ScalarNode
from amierules.rulebook.schema_messages import YAML_1_1, yaml_1_1

_WHOLE = ("mapping", "person", "project", "allocation", "account", "row")
"""Types that no text can have: one expression must yield them."""

_CALLED = {
    "integer": "a whole number",
    "decimal": "a number",
    "boolean": "true or false",
    "date": "a date like 2025-10-01",
    "datetime": "a date, or a date and time with a zone",
}


_WRITTEN = {
    "boolean": "write true or false",
    "date": "write it like 2025-10-01, or an expression that yields one",
    "datetime": "write it like 2025-10-01 or 2025-10-01T08:00:00Z, or an expression that yields one",
    "integer": "write it in digits, or an expression that yields one",
}


def check_literal(node: ScalarNode, schema: Mapping[str, Any]) -> list[Finding]:
    """What is wrong with a text without expressions as a value of the schema's `x-type` and `x-values`."""
    if not isinstance(node.value, str) or node.value in schema.get("x-words", ()):
        return []
    wanted = schema.get("x-type")
    if wanted in _WHOLE:
        return [_needs_expression(node, wanted)]
    if wanted in _CALLED and not _fits(node.value, wanted):
        or_words = "".join(f" or '{word}'" for word in schema.get("x-words", ()))
        message = f"'{printable(node.value, 60)}' is not {_CALLED[wanted]}{or_words}"
        if wanted == "boolean" and node.text.lower() in YAML_1_1:
            return [yaml_1_1(node, message)]
        hint = _WRITTEN.get(wanted, "")
        return [Finding("wrong-type", message, node.place, hint)]
    choices = schema.get("x-values")
    if choices and node.value not in choices:
        message = f"'{printable(node.value, 60)}' is none of {', '.join(map(str, choices))}"
        meant = did_you_mean(node.value, map(str, choices))
        return [Finding("bad-value", printable(message), node.place, f"did you mean '{meant}'?" if meant else "")]
    return []


def moment(text: str) -> date | datetime | None:
    """The date, or the date and time with a zone, that a text without expressions is; None where it is neither."""
    try:
        found = datetime.fromisoformat(text) if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]", text) else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else _date(text)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        return None


def check_whole_expression(node: ScalarNode, schema: Mapping[str, Any], compiled: Compiled) -> list[Finding]:
    """Whether a template stands alone where its value cannot be a text."""
    wanted = schema.get("x-type")
    if wanted in _WHOLE and isinstance(compiled, TemplateValue) and not compiled.template.is_expression:
        return [_needs_expression(node, wanted)]
    return []


def _needs_expression(node: ScalarNode, wanted: str) -> Finding:
    message = f"'{printable(node.text, 60)}' is a text; {'an' if wanted[0] in 'aeiou' else 'a'} {wanted} is needed here"
    hint = f'one expression that yields it, like "{{{{ {wanted} }}}}"' if wanted not in ("mapping", "row") else ""
    return Finding("wrong-type", message, node.place, hint)


def _fits(text: str, wanted: str) -> bool:
    match wanted:
        case "integer":
            return bool(re.fullmatch(r"-?[0-9]+", text))
        case "decimal":
            try:
                return Decimal(text).is_finite()
            except InvalidOperation:
                return False
        case "date":
            return _date(text) is not None
        case "datetime":
            return moment(text) is not None
        case _:
            return False
