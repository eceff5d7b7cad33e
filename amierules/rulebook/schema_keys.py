"""The keys that a JSON Schema of ours allows, as people read them: documentation and `explain` share them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from amierules.shipped import read_schema

_TYPE_NAMES = {"array": "list", "object": "mapping", "string": "text", "null": "nothing"}
_WIDTH = 90
_NO_DEFAULT = object()


@dataclass(frozen=True)
class Key:
    """One key; an inner one is called by its path (`unless.run`)."""

    name: str
    value: str
    """The kind of its value: `text`, `list`, `integer or text`."""
    required: bool
    description: str
    choices: tuple[object, ...]
    """The values that it may have; empty where they are not listed."""
    default: object = _NO_DEFAULT

    @property
    def has_default(self) -> bool:
        """Whether there is a default, which may be null."""
        return self.default is not _NO_DEFAULT


def schema_keys(schema: dict[str, Any], file: str, prefix: str = "") -> Iterator[Key]:
    """The keys of an object schema of `schemas/FILE.json`, inner ones too; those of other files are not followed."""
    required = schema.get("required", ())
    for name, given in schema.get("properties", {}).items():
        inner, inner_file = resolved(given, file)
        yield Key(
            name=prefix + name,
            value=_value(inner),
            required=name in required,
            description=str(inner.get("description", "")),
            choices=tuple(inner.get("x-values", inner.get("enum", ()))),
            default=inner.get("default", _NO_DEFAULT),
        )
        if inner_file == file:
            yield from schema_keys(inner, file, f"{prefix}{name}.")
            items = inner.get("items", {})
            yield from schema_keys(resolved(items, file)[0] if _local(items) else {}, file, f"{prefix}{name}[].")


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


def as_yaml(mapping: Mapping[str, Any], indent: str = "") -> str:
    """A mapping as YAML, as people write it: what fits on one line stands on one line."""
    # PyYAML writes a mapping wholly in one style.
    lines = []
    for key, value in mapping.items():
        line = f"{indent}{key}: {_on_one_line(value)}\n"
        inner = isinstance(value, Mapping) and len(line) > _WIDTH
        lines.append(f"{indent}{key}:\n{as_yaml(value, indent + '  ')}" if inner else line)
    return "".join(lines)


def _on_one_line(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=100_000)
    return text.removesuffix("...\n").strip()
