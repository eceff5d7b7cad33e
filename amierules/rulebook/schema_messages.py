"""What jsonschema finds, said in the words of a person who writes rules: one short sentence, and a remedy."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import ValidationError

from amierules.diagnostics import Finding, Place, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode, is_date
from amierules.rulebook.schema_hints import (
    belongs_to_an_empty_key,
    hint_for_empty,
    hint_for_type,
    hint_for_unknown,
    keys_of,
    meant_by,
)

_TYPES = {
    "string": "a text",
    "object": "a mapping",
    "array": "a list",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}
_MOST_UNKNOWN = 1
"""More unknown keys of one mapping, of which none is a slip of the pen, are one mistake."""

YAML_1_1 = {**dict.fromkeys(("yes", "on", "y"), "true"), **dict.fromkeys(("no", "off", "n"), "false")}
"""Words that were booleans once, and what they stood for."""


def yaml_1_1(node: ScalarNode, message: str) -> Finding:
    """The error for such a word where a boolean is wanted."""
    return Finding("yaml-1.1", message, node.place, f"write {YAML_1_1[node.text.lower()]}")


@dataclass(frozen=True)
class Located:
    """The node that an error is about, its key where it has one, and the way to it."""

    node: Node
    key: ScalarNode | None
    path: list[str | int]
    kinds: frozenset[str]

    @property
    def label(self) -> str:
        """How a message calls the node: `'when'`, `item 2 of 'copy'`, `the file`."""
        names = [step for step in self.path if isinstance(step, str)]
        if not self.path:
            return "the file"
        last = self.path[-1]
        if isinstance(last, int):
            return f"item {last + 1} of '{names[-1]}'" if names else f"item {last + 1}"
        return f"'{printable(last, 60)}'"

    @property
    def own_place(self) -> Place:
        """The place of the key, where there is one; else of the node."""
        return self.key.place if self.key is not None else self.node.place


def explain(error: ValidationError, at: Located) -> list[Finding]:
    """The findings for one error of jsonschema: usually one, none where another finding explains it."""
    explainer = _EXPLAINERS.get(str(error.validator), _other)
    return explainer(error, at)


def _given(error: ValidationError) -> Any:
    """The value of the schema's keyword that is violated."""
    return error.validator_value


def _schema(error: ValidationError) -> dict[str, Any]:
    return error.schema if isinstance(error.schema, dict) else {}


def _hint_of(error: ValidationError) -> str:
    schema = _schema(error)
    return str(schema.get("x-hint", "")) if schema.get("type") == "array" else ""


def _unknown_keys(error: ValidationError, at: Located) -> list[Finding]:
    if not isinstance(at.node, MappingNode):
        return []
    schema = _schema(error)
    known = schema.get("properties", {})
    unknown = [key for key in at.node.keys if key not in known]
    strays = [key for key in unknown if belongs_to_an_empty_key(key, at.node, known)]
    said = [key for key in unknown if key not in strays]
    if len(said) > _MOST_UNKNOWN and not any(meant_by(key, schema) for key in said):
        listed = printable(", ".join(f"'{printable(key, 60)}'" for key in said), 120)
        message = f"{listed} are no keys of {_owner(error, at)}"
        return [Finding("unknown-key", message, at.node.keys[said[0]].place, keys_of(schema))]
    return [
        Finding(
            "unknown-key",
            f"'{printable(key, 60)}' is not a key of {_owner(error, at)}",
            at.node.keys[key].place,
            hint_for_unknown(key, at.node, schema, at.kinds),
        )
        for key in said
    ]


def _owner(error: ValidationError, at: Located) -> str:
    title = _schema(error).get("title")
    if title is None:
        return at.label
    if title in at.kinds:
        return f"the kind '{title}'"
    return f"'{title}'" if at.key is not None else f"{'an' if title[0] in 'aeiou' else 'a'} {title}"


def _missing_keys(error: ValidationError, at: Located) -> list[Finding]:
    if not isinstance(at.node, MappingNode):
        return []
    schema = _schema(error)
    misspelt = {meant_by(key, schema) for key in at.node.keys if key not in schema.get("properties", {})}
    # jsonschema reports each missing key by itself, but names it only in its message.
    return [
        Finding("missing-key", f"{_subject(error, at)} lacks the key '{key}'", at.own_place, f"add '{key}:'")
        for key in _given(error)
        if key not in at.node.keys and key not in misspelt and error.message.startswith(repr(key))
    ]


def _subject(error: ValidationError, at: Located) -> str:
    title = _schema(error).get("title")
    return f"the {title}" if title and at.key is None else at.label


def _wrong_type(error: ValidationError, at: Located) -> list[Finding]:
    wanted = _given(error)
    types = [wanted] if isinstance(wanted, str) else list(wanted)
    node, schema = at.node, _schema(error)
    if isinstance(node, ScalarNode):
        if node.needs_quotes and node.value is not None and "string" in types:
            if schema.get("x-type") in ("date", "datetime") and is_date(node.text):
                return []
            if schema.get("x-type") == "duration":
                return [_bad_duration(node, at)]
            if schema.get("x-type", "text") in ("text", "words"):
                return [_quote_me(node, at)]
        if node.value is None:
            message = f"{at.label} has no value; it must be {_listed(types, schema)}"
            return [Finding("no-value", message, at.own_place, hint_for_empty(types, schema, at.key is not None))]
    message = f"{at.label} must be {_listed(types, schema)}, not {_what(node)}"
    if "boolean" in types and isinstance(node, ScalarNode) and node.text.lower() in YAML_1_1:
        return [yaml_1_1(node, message)]
    return [Finding("wrong-type", message, node.place, _hint_of(error) or hint_for_type(types, node, schema))]


def _quote_me(node: ScalarNode, at: Located) -> Finding:
    what = "a date" if is_date(node.text) else "true or false" if isinstance(node.value, bool) else "a number"
    message = f"{at.label} must be a text, but {printable(node.text, 60)} without quotes is {what}"
    return Finding("quote-me", message, node.place, f'write "{printable(node.text, 60)}"')


def _bad_duration(node: Node, at: Located) -> Finding:
    shown = printable(node.text, 40) if isinstance(node, ScalarNode) else "this"
    hint = "an integer and one of s, m, h, d: 30s, 10m, 12h, 14d"
    return Finding("bad-duration", f"{at.label} is a duration; '{shown}' is none", node.place, hint)


def _listed(types: list[str], schema: dict[str, Any]) -> str:
    names = [_TYPES[name] for name in types]
    if "string" in types and len(types) > 1 and schema.get("x-type", "text") not in ("text", "words"):
        names[types.index("string")] = "an expression in quotes"
        names.append(names.pop(types.index("string")))
    return ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else names[0]


def _what(node: Node) -> str:
    match node:
        case ListNode():
            return "a list"
        case MappingNode():
            return "a mapping"
        case ScalarNode():
            return f"'{printable(node.text, 60)}'"


def _bad_choice(error: ValidationError, at: Located) -> list[Finding]:
    if _rendered_later(error, at) or (_schema(error).get("type") == "string" and type(error.instance) is not str):
        # What is no text at all is an error of its own.
        return []
    value = at.node.text if isinstance(at.node, ScalarNode) else ""
    choices = [str(choice) for choice in _given(error)]
    if _schema(error).get("title") == "packet type":
        meant = did_you_mean(value, choices)
        hint = f"did you mean '{meant}'?" if meant else "the packet types stand in schemas/packets"
        words = value.replace(",", " ").split()
        if len(words) > 1 and set(words) <= set(choices):
            hint = printable(f"write [{', '.join(words)}]")
        return [Finding("unknown-packet-type", f"'{printable(value, 60)}' is no packet type", at.node.place, hint)]
    message = f"{at.label} must be one of {', '.join(choices)}, not {_what(at.node)}"
    meant = did_you_mean(value, choices)
    return [Finding("bad-value", printable(message), at.node.place, f"did you mean '{meant}'?" if meant else "")]


def _bad_pattern(error: ValidationError, at: Located) -> list[Finding]:
    hint = str(_schema(error).get("x-hint", ""))
    if "propertyNames" in error.absolute_schema_path and isinstance(at.node, MappingNode):
        key = str(error.instance)
        message = f"'{printable(key, 60)}' cannot be a name in {at.label}"
        return [Finding("bad-name", message, at.node.key_place(key), hint)]
    if _rendered_later(error, at):
        return []
    if _schema(error).get("x-type") == "duration":
        return [_bad_duration(at.node, at)]
    if at.path and at.path[-1] == "use":
        # No block has such a name: that is said once the blocks are known.
        return []
    code = "bad-name" if at.path and at.path[-1] in ("name", "register", "block") else "bad-value"
    return [Finding(code, f"{at.label} cannot be {_what(at.node)}", at.node.place, hint)]


def _rendered_later(error: ValidationError, at: Located) -> bool:
    """Whether the value is the template of a parameter, whose result is checked once it is known."""
    schema = _schema(error)
    is_parameter = "x-type" in schema and schema.get("x-compile") != "literal"
    return is_parameter and isinstance(at.node, ScalarNode) and "{{" in at.node.text


def _empty(error: ValidationError, at: Located) -> list[Finding]:
    least = _given(error)
    message = f"{at.label} is empty" if least == 1 else f"{at.label} needs at least {least} entries"
    return [Finding("empty", message, at.own_place, _hint_of(error) if error.validator == "minItems" else "")]


def _too_long(error: ValidationError, at: Located) -> list[Finding]:
    if _rendered_later(error, at):
        return []
    what = {"maxLength": "characters", "maxItems": "items", "maxProperties": "keys"}[str(error.validator)]
    most = _given(error)
    message = f"{at.label} has more than {most} {what if most != 1 else what[:-1]}"
    return [Finding("too-long", message, at.node.place, _hint_of(error) if error.validator == "maxItems" else "")]


def _out_of_range(error: ValidationError, at: Located) -> list[Finding]:
    side = "at least" if error.validator == "minimum" else "at most"
    message = f"{at.label} must be {side} {_given(error)}, not {_what(at.node)}"
    return [Finding("bad-value", message, at.node.place, "")]


def _twice(_error: ValidationError, at: Located) -> list[Finding]:
    seen: set[str] = set()
    findings = []
    for item in at.node.items if isinstance(at.node, ListNode) else ():
        text = item.text if isinstance(item, ScalarNode) else ""
        if text and text in seen:
            message = f"'{printable(text, 60)}' stands twice in {at.label}"
            findings.append(Finding("duplicate-value", message, item.place, "remove one of them"))
        seen.add(text)
    return findings or [Finding("duplicate-value", f"{at.label} holds the same item twice", at.own_place, "")]


def _other(_error: ValidationError, at: Located) -> list[Finding]:
    return [Finding("bad-value", f"{at.label} is not what is expected here", at.own_place, "")]


_EXPLAINERS: dict[str, Callable[[ValidationError, Located], list[Finding]]] = {
    "additionalProperties": _unknown_keys,
    "required": _missing_keys,
    "type": _wrong_type,
    "enum": _bad_choice,
    "const": _other,
    "pattern": _bad_pattern,
    "minLength": _empty,
    "minItems": _empty,
    "minProperties": _empty,
    "maxLength": _too_long,
    "maxItems": _too_long,
    "maxProperties": _too_long,
    "minimum": _out_of_range,
    "maximum": _out_of_range,
    "uniqueItems": _twice,
}
