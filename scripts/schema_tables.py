"""Tables of the keys that a JSON Schema allows."""

import json
from typing import Any

from amierules.rulebook.schema_keys import Key, schema_keys
from scripts.markdown import code, codes, table


def keys_table(schema: dict[str, Any], file: str) -> str:
    """The keys of an object schema of `schemas/FILE.json`, inner ones too (`unless.run`); empty where it has none."""
    return table(["key", "value", "default", "what it is"], (_row(key) for key in schema_keys(schema, file)))


def _row(key: Key) -> list[str]:
    default = code(json.dumps(key.default)) if key.has_default else ""
    return [code(key.name), key.value, "required" if key.required else default, _description(key)]


def _description(key: Key) -> str:
    one_of = f" One of {codes(map(str, key.choices))}." if 0 < len(key.choices) < 12 else ""
    return key.description + one_of
