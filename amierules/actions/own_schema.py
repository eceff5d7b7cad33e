"""The schema file of a kind that a package brings: read, and checked before any rule is held against it."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import SchemaError

from amierules.diagnostics import Finding, Place, printable
from amierules.rulebook.files import read_text, shown
from amierules.rulebook.nodes import MappingNode
from amierules.rulebook.schema_check import check
from amierules.rulebook.yaml_reader import load_yaml

_LOCAL = "#/definitions/"

Schema = dict[str, Any]


def read_own_schema(path: Path, kind: str) -> tuple[Schema | None, list[Finding]]:
    """The schema of the kind's parameters, each `$ref` replaced by what it means; None and why it cannot be used.

    Every finding has its place in the file.
    """
    text, findings = read_text(path)
    if text is None:
        return None, findings
    file = shown(path)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = (error.lineno, error.colno) if isinstance(error, json.JSONDecodeError) else (0, 0)
        said = error.msg if isinstance(error, json.JSONDecodeError) else type(error).__name__
        return None, [_broken(f"this is no JSON: {said}", Place(file, *where))]
    # JSON is YAML, and our reader tells where everything stands.
    root, findings = load_yaml(text, file)
    if root is None or findings:
        return None, findings
    findings = check(root, "kind.schema")
    if findings or not isinstance(root, MappingNode):
        return None, findings
    found = [_broken(message, root.keys[key].place) for key, message in _amiss(data, kind)]
    return (None, found) if found else (_whole(data, data), [])


def _amiss(data: Schema, kind: str) -> Iterator[tuple[str, str]]:
    """What its form does not show: the key that it is about, and what is wrong."""
    if data["title"] != kind:
        yield "title", f"the title is '{printable(data['title'], 60)}', the kind's name is '{kind}'"
    if missing := sorted(set(data.get("required", ())) - data["properties"].keys()):
        yield "required", f"there is no parameter '{printable(missing[0], 60)}'"
    try:
        Draft7Validator.check_schema(data)
        whole = _whole(data, data)
    except SchemaError as error:
        top = error.absolute_path[0] if error.absolute_path else "type"
        yield str(top), printable(f"this is no JSON Schema of draft 07: {error.message}", 200)
        return
    except _WrongReference as error:
        yield error.key, str(error)
        return
    if data["x-doubt"] == "person" and data.get("x-until"):
        yield "x-until", "what a person has to settle after a crash cannot be done again and again"
    undescribed = [name for name, value in whole["properties"].items() if "description" not in value]
    if undescribed:
        yield "properties", f"the parameter '{undescribed[0]}' has no description"
    for number, example in enumerate(data["examples"], 1):
        wrong = next(Draft7Validator(whole).iter_errors(example), None)
        if wrong is not None:
            yield "examples", printable(f"example {number} is not valid by this schema: {wrong.message}", 200)


class _WrongReference(Exception):
    """A `$ref` that leads nowhere, in a circle, or out of the file."""

    key = "properties"


def _whole(part: Any, root: Schema, inside: tuple[str, ...] = ()) -> Any:
    """The schema with each `$ref` replaced by what it means. Raises `_WrongReference`."""
    if isinstance(part, list):
        return [_whole(item, root, inside) for item in part]
    if not isinstance(part, Mapping):
        return part
    reference = part.get("$ref")
    if not isinstance(reference, str):
        return {key: value if key == "examples" else _whole(value, root, inside) for key, value in part.items()}
    name = reference.removeprefix(_LOCAL)
    if not reference.startswith(_LOCAL) or name not in root.get("definitions", {}):
        raise _WrongReference(f"'{printable(reference, 60)}' refers to nothing in `definitions`")
    if reference in inside:
        raise _WrongReference(f"'{printable(reference, 60)}' refers to itself")
    beside = {key: value for key, value in part.items() if key != "$ref"}
    meant: Schema = _whole(root["definitions"][name], root, (*inside, reference))
    return {**meant, **_whole(beside, root, inside)}


def _broken(message: str, place: Place) -> Finding:
    return Finding("broken-kind", message, place)
