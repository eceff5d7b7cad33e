"""A kind of action has one name everywhere: in YAML, as a module, as a schema file, as a page of the docs."""

import keyword

import pytest

from amierules.actions.schemas import shipped_kind_schemas
from amierules.actions.table import COMPOSED, KINDS
from amierules.shipped import read_schema
from tests.architecture.source_tree import PACKAGE, TOP

NAMES = sorted({*KINDS, COMPOSED})


def _module(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_kind_is_its_module(name: str) -> None:
    assert getattr(KINDS[name], "__name__", None) == f"amierules.actions.{_module(name)}"


def test_a_block_has_no_module() -> None:
    assert not (PACKAGE / "actions" / f"{_module(COMPOSED)}.py").exists()


def test_every_kind_has_a_schema_and_no_schema_is_left_over() -> None:
    assert sorted(shipped_kind_schemas()) == NAMES


def test_every_kind_has_a_page_and_no_page_is_left_over() -> None:
    assert sorted(path.stem for path in (TOP / "docs" / "kinds").glob("*.md") if path.stem != "README") == NAMES


def test_the_schema_of_an_action_offers_every_kind() -> None:
    schema = read_schema("action.schema")
    offered = {key: value["$ref"] for key, value in schema["properties"].items() if "kinds/" in value.get("$ref", "")}
    assert offered == {name: f"kinds/{name}.schema.json" for name in NAMES}
    assert sorted(choice["required"][0] for choice in schema["oneOf"]) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_kind_describes_itself(name: str) -> None:
    schema = shipped_kind_schemas()[name]
    assert schema["title"] == name
    assert schema["description"].endswith(".")
    assert schema["examples"]
    undescribed = [key for key, value in schema.get("properties", {}).items() if "description" not in value]
    assert undescribed == []
