"""The pages of the configuration and of rule files and blocks."""

from typing import Any

from amierules.rulebook.schema_keys import as_yaml
from amierules.shipped import read_schema
from scripts.markdown import page
from scripts.schema_tables import keys_table


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
    return "\n\n".join(f"```yaml\n{as_yaml(example)}```" for example in shown)


def _is_common(schema: dict[str, Any]) -> bool:
    return not str(schema.get("$ref", "")).startswith("kinds/")
