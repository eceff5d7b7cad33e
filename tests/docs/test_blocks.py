"""Each YAML, JSON and shell block of the documents is valid where it is not played: what it shows can be typed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from jsonschema import Draft7Validator

from amierules.actions.schemas import kind_schemas
from amierules.cli.main import build
from amierules.diagnostics import Finding, Severity
from amierules.rulebook.configuration import load_configuration
from amierules.rulebook.loader import load_rulebook
from amierules.shipped import ROOT, read_schema
from amierules.templating import Environment
from amierules.testing.reading import read_case_file
from amierules.usage.rules import load_usage_rules
from tests.architecture.source_tree import TOP
from tests.support.doc_blocks import Block, blocks_of, our_words, simple_commands, typed_lines

PAGES = sorted(
    [
        *TOP.glob("*.md"),
        # The pages of kinds show the examples of their schemas, which tests/architecture/test_schemas.py checks.
        *(page for page in TOP.glob("docs/**/*.md") if page.parent.name != "kinds"),
        *TOP.glob("benchmarks/*.md"),
        *TOP.glob("templates/*.md"),
        *TOP.glob("examples/**/*.md"),
    ]
)
BLOCKS = [block for page in PAGES for block in blocks_of(page)]
TYPES = ("request_project_create", "request_account_create", "request_user_modify", "request_person_merge")
CONFIGURATION = set(read_schema("configuration.schema")["properties"])
REGISTRY = set(read_schema("registry.schema")["properties"])
KINDS = kind_schemas()
HEADERS = {"site_name": "TestSite", "remote_site_name": "TGCDB"}


def of(*languages: str) -> list[Any]:
    """The blocks in these languages, each as a parameter with its place."""
    chosen = [block for block in BLOCKS if block.language in languages]
    return [pytest.param(block, id=f"{block.page.relative_to(TOP)}:{block.line}") for block in chosen]


@pytest.mark.parametrize("block", of("yaml"))
def test_yaml_is_valid(block: Block, tmp_path: Path) -> None:
    document = yaml.safe_load(block.text)
    if block.is_foreign:
        assert document
    else:
        assert [str(one) for one in findings_of(block.text, document, tmp_path)] == []


@pytest.mark.parametrize("block", of("json"))
def test_json_is_valid(block: Block) -> None:
    assert json.loads(block.text)


@pytest.mark.parametrize("block", of("sh", "console"))
def test_command_lines_can_be_typed(block: Block) -> None:
    ours = 0
    for line, _output in typed_lines(block):
        for words in simple_commands(line):
            typed = our_words(words)
            if typed is not None:
                ours += 1
                is_parsed(typed)
    assert ours or block.is_played or not re.search(r"^(\$ )?amierules ", block.text, re.MULTILINE)


@pytest.mark.parametrize("block", of(""))
def test_what_is_typed_says_so(block: Block) -> None:
    assert not re.search(r"^(\$ |amierules )", block.text, re.MULTILINE), "call it `sh` or `console`"


def findings_of(text: str, document: Any, folder: Path) -> list[Finding]:
    """What is wrong with YAML of ours: a rule file, a block, rules, steps, or a part of the configuration."""
    keys = set(document) if isinstance(document, dict) else set()
    if "block" in keys:
        return rules_findings(folder / "blocks" / f"{document['block']}.yaml", text)
    if "usage" in keys and "jobs" in keys:
        return usage_findings(folder / "usage.yaml", text)
    if {"tests", "usage_tests"} & keys:
        return rule_test_findings(folder / "case.yaml", text)
    if keys and keys <= CONFIGURATION and keys != {"grid_mapfile"} and not has_rules(document):
        return configuration_findings(folder, document)
    if keys and keys <= REGISTRY:
        Draft7Validator(read_schema("registry.schema")).validate(document)
        return []
    if "packet" in keys:
        return rules_findings(folder / "rules.yaml", text)
    found: list[Finding] = []
    for packet in TYPES:
        found = rules_findings(folder / "rules.yaml", as_rule_file(packet, document))
        if not found:
            break
    return found


def has_rules(document: dict[str, Any]) -> bool:
    """Whether its `rules` are rules, and not folders as in the configuration."""
    return "rules" in document and isinstance(document["rules"][0], dict)


def as_rule_file(packet: str, document: Any) -> str:
    """Rules or steps as they would stand in the file of a packet type."""
    if isinstance(document, dict) and "rules" in document:
        return yaml.safe_dump({"packet": packet, **document}, sort_keys=False)
    steps = document if isinstance(document, list) else [document]
    named = [{"name": f"step {number}", **step} for number, step in enumerate(steps)]
    rule = {"name": "example", "actions": named, "complete": "done"}
    return yaml.safe_dump({"packet": packet, "rules": [rule]}, sort_keys=False)


def rules_findings(file: Path, text: str) -> list[Finding]:
    """The errors of a rule file or block that replaces the shipped one."""
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    folder = file.parent.parent if file.parent.name == "blocks" else file.parent
    shipped = folder / "shipped"
    shipped.mkdir(exist_ok=True)
    if not (shipped / "blocks").exists():
        (shipped / "blocks").symlink_to(ROOT / "rules" / "blocks")
    _, findings = load_rulebook([folder, shipped], KINDS, Environment())
    ours = [one for one in findings if one.place and one.place.file == str(file)]
    return [one for one in ours if one.severity is Severity.ERROR]


def rule_test_findings(file: Path, text: str) -> list[Finding]:
    """The findings of a file of rule tests."""
    file.write_text(text, encoding="utf-8")
    return read_case_file(file)[1]


def usage_findings(file: Path, text: str) -> list[Finding]:
    """The errors of a file of usage rules."""
    file.write_text(text, encoding="utf-8")
    _, findings = load_usage_rules(file, Environment(), None)
    return [one for one in findings if one.severity is Severity.ERROR]


def configuration_findings(folder: Path, part: dict[str, Any]) -> list[Finding]:
    """The findings of a configuration that has this part."""
    file = folder / "amierules.yaml"
    file.write_text(yaml.safe_dump({**HEADERS, **part}, sort_keys=False), encoding="utf-8")
    _, findings = load_configuration(file, {})
    return [one for one in findings if one.severity is Severity.ERROR]


def is_parsed(words: list[str]) -> None:
    """The command exists, and takes these arguments and options. Nothing is run."""
    command = typer.main.get_command(build(words))
    context = command.make_context("amierules", list(words), resilient_parsing=not words)
    while words and hasattr(command, "resolve_command"):
        rest = [*context._protected_args, *context.args] if hasattr(context, "_protected_args") else context.args
        if not rest:
            return
        name, command, rest = command.resolve_command(context, rest)
        assert command is not None, name
        if {"--help", "-h"} & set(rest):
            return
        context = command.make_context(name, list(rest), parent=context)
