"""The shipped schemas: valid, true to the code, and with examples that are what they describe."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from amierules.protocol.catalogue import catalogue
from amierules.rulebook.configuration import load_configuration
from amierules.rulebook.data_files import load_data
from amierules.rulebook.durations import duration_seconds
from amierules.rulebook.structure import COMMON_KEYS, OUTCOMES, RULE_KEYS
from amierules.shipped import read_schema
from tests.support.rules import errors, load, write

NAMES = ["rule-file.schema", "block.schema", "action.schema", "configuration.schema"]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_draft_7_and_closed(name: str) -> None:
    schema = read_schema(name)
    Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["additionalProperties"] is False
    assert "unevaluatedProperties" not in json.dumps(schema)


@pytest.mark.parametrize("name", NAMES)
def test_every_property_has_a_description(name: str) -> None:
    schema = read_schema(name)
    lacking = [key for key, value in schema["properties"].items() if "description" not in value and "$ref" not in value]
    assert lacking == []


def test_the_packet_types_are_those_of_the_catalogue() -> None:
    listed = read_schema("rule-file.schema")["definitions"]["packet_type"]["enum"]
    assert listed == sorted(catalogue().types)


def test_the_structure_knows_the_same_keys_as_the_schemas() -> None:
    rule = read_schema("rule-file.schema")["definitions"]["rule"]
    assert sorted(rule["properties"]) == sorted(RULE_KEYS)
    assert [alternative["required"][0] for alternative in rule["oneOf"]] == list(OUTCOMES)
    action = read_schema("action.schema")
    kinds = [key for key, value in action["properties"].items() if str(value.get("$ref", "")).startswith("kinds/")]
    assert sorted([*COMMON_KEYS, *kinds]) == sorted(action["properties"])
    assert [alternative["required"][0] for alternative in action["oneOf"]] == kinds


def _file(rule: dict[str, Any]) -> str:
    return json.dumps({"packet": "request_project_inactivate", "rules": [rule]})


def _examples() -> list[Any]:
    definitions = read_schema("rule-file.schema")["definitions"]
    rules = list(definitions["rule"]["examples"])
    rules += [
        {"name": "a", outcome: example}
        for outcome in ("reply", "defer")
        for example in definitions[outcome]["examples"]
    ]
    return [*(json.dumps(example) for example in read_schema("rule-file.schema")["examples"]), *map(_file, rules)]


@pytest.mark.parametrize("text", _examples())
def test_examples_of_rules_load(tmp_path: Path, text: str) -> None:
    assert errors(load(write(tmp_path, {"a.yaml": text}))[1]) == []


def test_examples_of_configurations_load(tmp_path: Path) -> None:
    for example in read_schema("configuration.schema")["examples"]:
        write(tmp_path, {"amierules.yaml": json.dumps(example)})
        assert load_configuration(tmp_path / "amierules.yaml", {})[1] == []


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("90s", 90), ("10m", 600), ("2h", 7200), ("14d", 1209600)])
def test_durations(text: str, seconds: int) -> None:
    assert duration_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "0m", "1.5h", "1 h", "10M", "-1m", "9999999d", "\u0661m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        duration_seconds(text)


def test_data_files_are_as_strict_as_rules(tmp_path: Path) -> None:
    text = json.dumps(read_schema("configuration.schema")["examples"][0])
    write(tmp_path, {"good.yaml": text, "bad.yaml": text.replace("site_name", "site_nam", 1)})
    data, findings = load_data(tmp_path / "good.yaml", "configuration.schema")
    assert findings == []
    assert data == json.loads(text)
    data, findings = load_data(tmp_path / "bad.yaml", "configuration.schema")
    assert data is None
    assert [finding.code for finding in findings] == ["unknown-key"]
    data, findings = load_data(tmp_path / "none.yaml", "configuration.schema")
    assert data is None
    assert [finding.code for finding in findings] == ["unreadable-file"]
