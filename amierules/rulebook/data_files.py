"""Other YAML files, as strict as rule files: read, checked against a schema, handed over as plain data."""

from pathlib import Path

from amierules.diagnostics import Finding
from amierules.rulebook.files import read_yaml
from amierules.rulebook.nodes import to_plain
from amierules.rulebook.schema_check import check


def load_data(path: Path, schema_name: str) -> tuple[object, list[Finding]]:
    """The data of a YAML file that follows `schemas/NAME.json`, and what is wrong with it.

    The data is None where the file cannot be read or any error is found. Raises `FileNotFoundError` for a schema
    that is not shipped.
    """
    root, findings = read_yaml(path)
    if root is not None:
        findings = [*findings, *check(root, schema_name)]
    return (to_plain(root) if root is not None and not findings else None), findings
