"""The page of the codes that findings have."""

from amierules.diagnostics.codes import Code, codes
from scripts.markdown import code, page, table

_SECTIONS = {
    "validate": "Rules and configuration (`validate`)",
    "run": "Expressions that fail when they are evaluated (`run`, `dry-run`)",
    "load": "Packets (`load`, `run`)",
    "registry": "The registry (`registry`)",
    "db": "The database",
    "command": "The command line",
}


def codes_page() -> str:
    """`docs/codes.md`."""
    found = {key: [one for one in codes().values() if one.found_by == key] for key in _SECTIONS}
    return page(
        "# Codes",
        "What the code of a finding means. `amierules explain CODE` shows the same, with a wrong and a right example.",
        *(
            f"## {title}\n\n{table(['code', 'severity', 'meaning', 'remedy'], map(_row, found[key]))}"
            for key, title in _SECTIONS.items()
        ),
    )


def _row(one: Code) -> list[str]:
    return [code(one.name), one.severity, one.meaning, one.remedy]
