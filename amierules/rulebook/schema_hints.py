"""What to do about a key or value that a schema does not take: the remedies beside `schema_messages`."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from amierules.diagnostics import printable
from amierules.diagnostics.suggest import did_you_mean, hint_for
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode

Schema = Mapping[str, Any]


def meant_by(key: str, schema: Schema) -> str | None:
    """The key of a schema that an unknown one most likely stands for: misspelt, or as other tools call it."""
    habit = schema.get("x-habits", {}).get(key, {})
    meant: str | None = habit.get("means")
    return meant or (None if habit else did_you_mean(key, schema.get("properties", {})))


def hint_for_unknown(key: str, node: MappingNode, schema: Schema, kinds: Collection[str]) -> str:
    """What to write instead of an unknown key of a mapping with this schema."""
    known = schema.get("properties", {})
    habit = schema.get("x-habits", {}).get(key)
    if habit is not None:
        return str(habit.get("hint") or f"write '{habit['means']}:'")
    if "use" in node.keys and "with" in known and not did_you_mean(key, known):
        return f"put it under 'with:', as {printable(key, 60)}:"
    if inner := next((name for name, value in known.items() if key in _properties(value)), None):
        return f"put it under '{inner}:'"
    hint = hint_for(key, known)
    is_action = bool(kinds) and kinds <= known.keys()
    if not hint and is_action and not node.keys.keys() & kinds:
        return f"an action is one of {', '.join(sorted(kinds))}"
    return hint or keys_of(schema)


def keys_of(schema: Schema) -> str:
    """A hint that lists the keys of a mapping, as far as they are few enough to be read."""
    if "x-keys" in schema:
        return str(schema["x-keys"])
    listed = ", ".join(sorted(schema.get("properties", {})))
    return f"known here: {listed}" if listed else ""


def belongs_to_an_empty_key(key: str, node: MappingNode, known: Schema) -> bool:
    """Whether an unknown key most likely belongs below a key before it that has no value: indentation is missing."""
    before: str | None = None
    for name in node.keys:
        if name == key:
            break
        before = name if name in known else before
    value = node.values.get(before) if before is not None else None
    empty = isinstance(value, ScalarNode) and value.value is None
    return empty and before is not None and "string" not in _types(known[before])


def hint_for_empty(types: Iterable[str], schema: Schema, has_key: bool) -> str:
    """What to do about a key without a value."""
    if not has_key:
        return ""
    if "object" in types and "required" not in schema:
        return "write {} where nothing is to be said; what belongs to it is indented below it"
    if "object" in types and "string" not in types:
        return "what belongs to it is indented below it"
    return "remove the key, or give it a value"


def hint_for_type(types: Collection[str], node: Node, schema: Schema) -> str:
    """How a value is written that is of another type than the schema wants."""
    match node:
        case ScalarNode() if "array" in types and "object" not in types:
            return _as_list(node)
        case ScalarNode() if "object" in types:
            return _as_mapping(schema)
        case MappingNode() if "array" in types and "object" not in types:
            return "begin each item with '- '"
        case ListNode() if "object" in types and node.items and "array" not in types:
            return _without_dashes(node.items[0], schema)
        case ListNode() if schema.get("x-compile") == "expression":
            return "write the list as an expression in quotes: \"['a', 'b']\""
        case ScalarNode() if "integer" in types and node.text.isdecimal():
            return f"write {node.text}"
    return ""


def _as_list(node: ScalarNode) -> str:
    if node.value is None or "{{" in node.text:
        return ""
    if "," in node.text:
        return f"write [{printable(', '.join(part.strip() for part in node.text.split(',')), 100)}]"
    return f"write [{printable(node.raw, 60)}]"


def _as_mapping(schema: Schema) -> str:
    keys = schema.get("required") or schema.get("properties", {})
    shown = ", ".join(f"{key}: …" for key in list(keys)[:6])
    return f"write a mapping: {{{shown}}}" if shown else "its keys are indented below it"


def _without_dashes(item: Node, schema: Schema) -> str:
    if isinstance(item, ScalarNode) and not schema.get("properties"):
        return f"write its items as keys: '{printable(item.text, 60)}: {{}}'"
    return "write its keys without '- '" if isinstance(item, MappingNode) else _as_mapping(schema)


def _properties(schema: object) -> Mapping[str, object]:
    found = schema.get("properties", {}) if isinstance(schema, dict) else {}
    return found if isinstance(found, dict) else {}


def _types(schema: object) -> Collection[str]:
    types = schema.get("type", ()) if isinstance(schema, dict) else ()
    return (types,) if isinstance(types, str) else tuple(types)
