"""One page for each kind of action, and their list."""

from typing import Any

from amierules.actions.schemas import shipped_kind_schemas
from amierules.actions.table import COMPOSED
from amierules.engine.topics import AFTER_A_CRASH, AFTER_A_CRASH_IN_A_BLOCK
from scripts.markdown import code, page, table
from scripts.schema_pages import examples
from scripts.schema_tables import keys_table

_UNTIL = {
    False: "",
    True: "An action of this kind may have `until`.",
    "read_only": "An action of this kind may have `until` where it is `read_only`.",
}


def kind_pages() -> dict[str, str]:
    """The pages of `docs/kinds/`: file name and text."""
    schemas = shipped_kind_schemas()
    listed = [[f"[{name}]({name}.md)", _first_sentence(schema["description"])] for name, schema in schemas.items()]
    overview = page("# Kinds of actions", table(["kind", "what it does"], listed))
    return {"README.md": overview} | {f"{name}.md": _kind_page(name, schema) for name, schema in schemas.items()}


def _kind_page(name: str, schema: dict[str, Any]) -> str:
    file = f"kinds/{name}.schema"
    keys = keys_table(schema, file)
    result = table(["key", "what it is"], ([code(key), text] for key, text in schema["x-result"].items()))
    return page(
        f"# {name}",
        schema["description"],
        f"## Parameters\n\n{keys}" if keys else "",
        "## Result\n\nWhat `register` gives a name:\n\n" + result if result else "",
        _UNTIL[schema.get("x-until", False)],
        "## After a crash",
        AFTER_A_CRASH_IN_A_BLOCK if name == COMPOSED else AFTER_A_CRASH[schema["x-doubt"]],
        "## Examples",
        examples(schema, name),
    )


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].rstrip(".") + "."
