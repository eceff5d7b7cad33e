"""Checks nodes against the shipped JSON Schemas; what jsonschema says becomes findings of ours, each at its place."""

import posixpath
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError, best_match
from jsonschema.validators import extend

from amierules.diagnostics import Finding
from amierules.rulebook.nodes import ListNode, MappingNode, Node, ScalarNode
from amierules.rulebook.schema_messages import Located, explain
from amierules.shipped import read_schema

_DATA = frozenset({"const", "default", "enum", "examples", "required"})
"""Keywords whose values are no schemas."""

Schema = dict[str, Any]


class NeedsQuotes(str):
    """A plain scalar that is text only by our reading (`2025-10-01`, `0032425`): a schema refuses it as text."""

    __slots__ = ()


# The stubs leave `extend` untyped.
_extend: Any = extend


def _is_text(_checker: object, value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, NeedsQuotes)


def _is_integer(_checker: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_Validator: Any = _extend(
    Draft7Validator,
    type_checker=Draft7Validator.TYPE_CHECKER.redefine_many({"string": _is_text, "integer": _is_integer}),
)


class Schemas:
    """The shipped schemas, with the kinds of action that this site has."""

    def __init__(self, kinds: Mapping[str, Schema] | None = None) -> None:
        self.kinds = dict(kinds or {})
        self._replaced = {f"kinds/{kind}.schema": schema for kind, schema in self.kinds.items()}
        self._replaced["action.schema"] = action_schema(self.kinds)
        self._validators: dict[str, Any] = {}
        self._whole: dict[tuple[str, str], Schema] = {}

    def named(self, name: str) -> Schema:
        """The schema `schemas/NAME.json`. Raises `FileNotFoundError`."""
        return self._replaced.get(name) or read_schema(name)

    def errors(self, instance: object, name: str) -> Iterator[ValidationError]:
        """What is wrong with plain data."""
        if name not in self._validators:
            self._validators[name] = _Validator(self._at(name, ""))
        errors: Iterator[ValidationError] = self._validators[name].iter_errors(instance)
        return errors

    def _at(self, name: str, pointer: str) -> Schema:
        """The schema at a pointer of a file, every `$ref` replaced by what it means; they stand for no circle.

        jsonschema itself would look each of them up again for each value: most of the time of a check.
        """
        if (name, pointer) not in self._whole:
            found = self.named(name)
            for step in pointer.strip("/").split("/") if pointer else ():
                found = found[step]
            # A schema that names its `$schema` would be checked by the stock validator, with its own idea of a text.
            kept = {key: value for key, value in found.items() if key != "$schema"}
            self._whole[name, pointer] = self._without_references(kept, name)
        return self._whole[name, pointer]

    def _without_references(self, part: Any, name: str) -> Any:
        match part:
            case {"$ref": str() as reference}:
                file, _, pointer = reference.partition("#")
                beside = posixpath.join(posixpath.dirname(name), file)
                return self._at(posixpath.normpath(beside).removesuffix(".json") if file else name, pointer)
            case dict():
                return {
                    key: value if key in _DATA else self._without_references(value, name)
                    for key, value in part.items()
                    # How many of several keys a mapping has is for `structure` to say: editors ask the schema.
                    if not (key in ("anyOf", "oneOf") and _only_requires(value))
                }
            case list():
                return [self._without_references(value, name) for value in part]
        return part


_kept: dict[tuple[tuple[str, int], ...], Schemas] = {}
_MOST_KEPT = 4


def schemas_with(kinds: Mapping[str, Schema]) -> Schemas:
    """The schemas with these kinds: the same ones as before for the same kinds, whose validators took long to make."""
    key = tuple((name, id(schema)) for name, schema in sorted(kinds.items()))
    if key not in _kept:
        if len(_kept) >= _MOST_KEPT:
            _kept.pop(next(iter(_kept)))
        # It holds the kinds, so that no other ones can have their identities.
        _kept[key] = Schemas(kinds)
    return _kept[key]


@cache
def shipped_schemas() -> Schemas:
    """The shipped schemas, for files that hold no actions."""
    return Schemas()


def action_schema(kinds: Mapping[str, Schema]) -> Schema:
    """The schema of an action for these kinds. How many kinds an action has is for `structure` to say."""
    shipped = read_schema("action.schema")
    common = {key: value for key, value in shipped["properties"].items() if not _is_kind(value)}
    properties = common | {kind: {"$ref": f"kinds/{kind}.schema.json"} for kind in kinds}
    return {key: value for key, value in shipped.items() if key != "oneOf"} | {"properties": properties}


def _is_kind(schema: Schema) -> bool:
    return str(schema.get("$ref", "")).startswith("kinds/")


def check(node: Node, schema_name: str, schemas: Schemas | None = None) -> list[Finding]:
    """What the schema `schemas/NAME.json` finds wrong with a node, in the order of the file.

    That a mapping has not exactly one of several keys (an action's kind, a rule's outcome) is not found here.
    """
    schemas = schemas or shipped_schemas()
    findings = [
        finding
        for error in schemas.errors(_instance(node), schema_name)
        for finding in _translate(error, node, frozenset(schemas.kinds))
    ]
    return sorted(set(findings), key=Finding.sort_key)


def _translate(error: ValidationError, root: Node, kinds: frozenset[str]) -> list[Finding]:
    if error.validator in ("oneOf", "anyOf") and (meant := _meant(error)) is not None:
        return [finding for inner in meant for finding in _translate(inner, root, kinds)]
    path = list(error.absolute_path)
    node: Node = root
    key: ScalarNode | None = None
    for step in path:
        if isinstance(node, MappingNode) and isinstance(step, str) and step in node.values:
            key, node = node.keys[step], node.values[step]
        elif isinstance(node, ListNode) and isinstance(step, int):
            key, node = None, node.items[step]
    return explain(error, Located(node, key, path, kinds))


def _meant(error: ValidationError) -> list[ValidationError] | None:
    """What is wrong by the alternative that a value of this type is meant for; None where nothing can be told."""
    context = error.context or []
    wrong_type = {one.relative_schema_path[0] for one in context if one.validator == "type" and not one.relative_path}
    fitting = {one.relative_schema_path[0] for one in context} - wrong_type
    if len(fitting) == 1:
        return [one for one in context if one.relative_schema_path[0] in fitting]
    if not fitting and isinstance(error.schema, dict) and "type" in error.schema:
        # That the value is of none of the types is an error of its own.
        return []
    best = best_match(context)
    return None if best is None else [best]


def _only_requires(alternatives: object) -> bool:
    return isinstance(alternatives, list) and all(set(schema) == {"required"} for schema in alternatives)


def _instance(node: Node) -> object:
    match node:
        case ScalarNode():
            return NeedsQuotes(node.value) if isinstance(node.value, str) and node.needs_quotes else node.value
        case ListNode():
            return [_instance(item) for item in node.items]
        case MappingNode():
            return {key: _instance(value) for key, value in node.values.items()}
