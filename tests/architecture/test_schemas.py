"""Every file in `schemas/` is a valid schema, and its examples are valid by it."""

import json
import posixpath
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from tests.architecture.source_tree import TOP

ROOT = TOP / "schemas"
DRAFT = "http://json-schema.org/draft-07/schema#"
FILES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.schema.json"))
DATA_FILES = sorted({path.relative_to(ROOT) for path in ROOT.rglob("*.json")} - set(FILES))
BASE = "https://schemas.invalid/"


def _read(path: Path) -> Any:
    return json.loads((ROOT / path).read_text(encoding="utf-8"))


@cache
def _registry() -> Registry[Any]:
    # A schema is known here by where it stands; an `$id` of its own would hide that from what refers to it.
    schemas = {path: {key: value for key, value in _read(path).items() if key != "$id"} for path in FILES}
    return Registry().with_resources(
        (BASE + path.as_posix(), Resource.from_contents(schema, default_specification=DRAFT7))
        for path, schema in schemas.items()
    )


def _examples(schema: Any, pointer: str) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, dict):
        if isinstance(schema.get("examples"), list):
            yield from ((pointer, example) for example in schema["examples"])
        for key, value in schema.items():
            yield from _examples(value, f"{pointer}/{key.replace('~', '~0').replace('/', '~1').replace('%', '%25')}")
    elif isinstance(schema, list):
        for position, value in enumerate(schema):
            yield from _examples(value, f"{pointer}/{position}")


ALL_EXAMPLES = [
    pytest.param(path, pointer, example, id=f"{path.as_posix()}{pointer}-{number}")
    for path in FILES
    for number, (pointer, example) in enumerate(_examples(_read(path), ""))
]


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_schema_is_valid_draft_07(path: Path) -> None:
    schema = _read(path)
    Draft7Validator.check_schema(schema)
    assert schema["$schema"] == DRAFT
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize(("path", "pointer", "example"), ALL_EXAMPLES)
def test_an_example_is_valid(path: Path, pointer: str, example: Any) -> None:
    reference = {"$ref": f"{BASE}{path.as_posix()}#{pointer}"}
    errors = [error.message for error in Draft7Validator(reference, registry=_registry()).iter_errors(example)]
    assert errors == []


@pytest.mark.parametrize("path", DATA_FILES, ids=str)
def test_a_data_file_is_valid_by_the_schema_that_it_names(path: Path) -> None:
    data = _read(path)
    schema = {"$ref": BASE + posixpath.normpath((path.parent / data["$schema"]).as_posix())}
    errors = [error.message for error in Draft7Validator(schema, registry=_registry()).iter_errors(data)]
    assert errors == []


def _with_habits(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "x-habits" in schema:
            yield schema
        for value in schema.values():
            yield from _with_habits(value)


@pytest.mark.parametrize("path", [path for path in FILES if '"x-habits"' in (ROOT / path).read_text()], ids=str)
def test_what_other_tools_call_a_key_is_no_key_here_and_means_one(path: Path) -> None:
    for schema in _with_habits(_read(path)):
        keys = schema["properties"].keys()
        assert schema["x-habits"].keys() & keys == set()
        assert {habit.get("means") for habit in schema["x-habits"].values()} - {None} <= keys
        assert all("means" in habit or habit["hint"] for habit in schema["x-habits"].values())
