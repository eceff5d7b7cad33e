"""The pages of the configuration and of rule files and blocks."""

from collections.abc import Mapping
from typing import Any

import yaml

from amierules.shipped import read_schema
from scripts.markdown import page
from scripts.schema_tables import keys_table

_WIDTH = 90


def configuration_page() -> str:
    """`docs/configuration.md`."""
    name = "configuration.schema"
    schema = read_schema(name)
    return page("# The configuration", schema["description"], keys_table(schema, name), examples(schema))


def rule_files_page() -> str:
    """`docs/rule-files.md`: the keys of rule files, blocks and actions."""
    file, block, action = (read_schema(f"{name}.schema") for name in ("rule-file", "block", "action"))
    common = {**action, "properties": {key: value for key, value in action["properties"].items() if _is_common(value)}}
    return page(
        "# Rule files and blocks",
        "A rule file stands in a folder that the configuration's `rules:` names; a block in its folder `blocks/`.",
        "## A rule file",
        file["description"],
        keys_table(file, "rule-file.schema"),
        "## A block",
        block["description"],
        keys_table(block, "block.schema"),
        examples(block),
        "## An action",
        action["description"] + " The kinds are described in [kinds/](kinds/README.md).",
        keys_table(common, "action.schema"),
        examples(action),
    )


def examples(schema: dict[str, Any], key: str | None = None) -> str:
    """A schema's examples as YAML blocks, each as the value of `key` where one is given."""
    shown = [example if key is None else {key: example} for example in schema.get("examples", ())]
    return "\n\n".join(f"```yaml\n{_as_yaml(example)}```" for example in shown)


def _is_common(schema: dict[str, Any]) -> bool:
    return not str(schema.get("$ref", "")).startswith("kinds/")


def _as_yaml(mapping: Mapping[str, Any], indent: str = "") -> str:
    # PyYAML writes a mapping wholly in one style; people put short ones on one line, as the shipped rules do.
    lines = []
    for key, value in mapping.items():
        line = f"{indent}{key}: {_on_one_line(value)}\n"
        inner = isinstance(value, Mapping) and len(line) > _WIDTH
        lines.append(f"{indent}{key}:\n{_as_yaml(value, indent + '  ')}" if inner else line)
    return "".join(lines)


def _on_one_line(value: object) -> str:
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=100_000)
    return text.removesuffix("...\n").strip()
