"""Tables of the keys that a JSON Schema allows."""

import json
from collections.abc import Iterator
from typing import Any

from amierules.shipped import read_schema
from scripts.markdown import code, codes, table

_TYPE_NAMES = {"array": "list", "object": "mapping", "string": "text", "null": "nothing"}


def keys_table(schema: dict[str, Any], file: str) -> str:
    """The keys of an object schema of `schemas/FILE.json`, inner ones too (`unless.run`); empty where it has none."""
    return table(["key", "value", "default", "what it is"], _rows(schema, file, ""))


def resolved(schema: dict[str, Any], file: str) -> tuple[dict[str, Any], str]:
    """A schema with its `$ref` followed, what stands beside the `$ref` first; and the file in which it stands."""
    if "$ref" not in schema:
        return schema, file
    name, _, pointer = schema["$ref"].partition("#")
    target_file = name.removesuffix(".json") or file
    target: dict[str, Any] = read_schema(target_file)
    for step in pointer.strip("/").split("/") if pointer else ():
        target = target[step]
    beside = {key: value for key, value in schema.items() if key != "$ref"}
    return {**target, **beside}, target_file


def _rows(schema: dict[str, Any], file: str, prefix: str) -> Iterator[list[str]]:
    required = schema.get("required", ())
    for name, given in schema.get("properties", {}).items():
        inner, inner_file = resolved(given, file)
        default = code(json.dumps(inner["default"])) if "default" in inner else ""
        yield [
            code(prefix + name),
            _value(inner),
            "required" if name in required else default,
            _description(inner),
        ]
        # Another file's schema has a table of its own.
        if inner_file == file:
            yield from _rows(inner, file, f"{prefix}{name}.")
            items = inner.get("items", {})
            yield from _rows(resolved(items, file)[0] if _local(items) else {}, file, f"{prefix}{name}[].")


def _local(schema: dict[str, Any]) -> bool:
    return bool(str(schema.get("$ref", "#")).startswith("#"))


def _value(schema: dict[str, Any]) -> str:
    if "x-type" in schema:
        return str(schema["x-type"])
    if schema.get("x-compile") == "expression":
        return "expression"
    if "enum" in schema:
        return "text"
    types = schema.get("type", "anything")
    listed = [types] if isinstance(types, str) else types
    return " or ".join(_TYPE_NAMES.get(name, name) for name in listed)


def _description(schema: dict[str, Any]) -> str:
    values = schema.get("x-values", schema.get("enum", ()))
    one_of = f" One of {codes(values)}." if 0 < len(values) < 12 else ""
    return str(schema.get("description", "")) + one_of
