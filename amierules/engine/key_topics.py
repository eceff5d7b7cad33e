"""What `explain` knows of the keys that stand in rule files, blocks and the configuration."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from amierules.actions.schemas import kind_schemas
from amierules.rulebook.schema_keys import Key, schema_keys
from amierules.shipped import read_schema

Topic = dict[str, Any]

_PLACES = (
    ("a rule", "rule-file.schema", "rule"),
    ("an action", "action.schema", None),
    ("a rule file", "rule-file.schema", None),
    ("a block's file", "block.schema", None),
    ("the configuration", "configuration.schema", None),
)
"""Where keys stand, with the schema's file and the definition in it; None for the whole file."""


def key_topics(word: str) -> list[Topic]:
    """What the key means in each place that has it; empty for what is no key, or is explained as a kind."""
    return [dict(topic) for topic in _all().get(word, ())]


def key_words() -> Iterator[str]:
    """All keys that `key_topics` knows."""
    yield from _all()


def parameter(key: Key, name: str | None = None) -> Topic:
    """A key as a line of what it stands in, by its own name or another."""
    found = {"name": name or key.name, "value": key.value, "required": key.required, "description": key.description}
    return found | {"choices": list(key.choices)} | ({"default": key.default} if key.has_default else {})


@cache
def _all() -> Mapping[str, tuple[Topic, ...]]:
    found: dict[str, tuple[Topic, ...]] = {}
    for place, file, definition in _PLACES:
        schema = read_schema(file)
        keys = [*schema_keys(schema["definitions"][definition] if definition else schema, file)]
        for key in keys:
            if "." not in key.name and key.name not in kind_schemas():
                found[key.name] = (*found.get(key.name, ()), _topic(key, place, keys))
    return found


def _topic(key: Key, place: str, keys: list[Key]) -> Topic:
    inner = [(one, one.name.removeprefix(f"{key.name}.")) for one in keys]
    return {
        "topic": "key",
        "name": key.name,
        "description": key.description,
        "place": place,
        "value": key.value,
        "parameters": [parameter(one, name) for one, name in inner if name != one.name],
    }
