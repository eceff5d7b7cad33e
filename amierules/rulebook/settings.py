"""Settings that shipped rules ask for: the values that they know stand in the schema of the configuration."""

from collections.abc import Iterator

from amierules.diagnostics import Finding, Severity, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.rulebook.nodes import MappingNode, Node, ScalarNode
from amierules.shipped import read_schema


def meant_value(setting: str, given: object) -> str | None:
    """The value that shipped rules know and that `given` most likely stands for; None for any other.

    A site whose own rules know more values may have them.
    """
    known = read_schema("configuration.schema")["properties"]["settings"]["properties"].get(setting, {})
    values = known.get("examples", ())
    return did_you_mean(given, values) if isinstance(given, str) and given not in values else None


def check_settings(root: Node) -> Iterator[Finding]:
    """Warnings about settings with misspelt values: rules would take them for a value that they do not know."""
    settings = root.get("settings") if isinstance(root, MappingNode) else None
    for name, value in settings.values.items() if isinstance(settings, MappingNode) else ():
        meant = meant_value(name, value.value) if isinstance(value, ScalarNode) else None
        if meant is not None and isinstance(value, ScalarNode):
            message = f"no shipped rule knows `{printable(name, 60)}: {printable(value.text, 60)}`"
            hint = f"did you mean '{meant}'?"
            yield Finding("unknown-value", message, value.place, hint, Severity.WARNING)
