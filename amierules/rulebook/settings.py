"""Settings that shipped rules ask for: the values that they know stand in the schema of the configuration."""

from collections.abc import Iterator, Mapping
from typing import Any

from amierules.diagnostics import Finding, Severity, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.rulebook.nodes import MappingNode, Node, ScalarNode
from amierules.shipped import read_schema


def meant_value(setting: str, given: object) -> str | None:
    """The value that shipped rules know and that `given` most likely stands for; None for any other.

    A site whose own rules know more values may have them.
    """
    values = _known().get(setting, {}).get("examples", ())
    return did_you_mean(given, values) if isinstance(given, str) and given not in values else None


def check_settings(root: Node) -> Iterator[Finding]:
    """Warnings about misspelt settings: rules would take the default, or a value that they do not know."""
    settings = root.get("settings") if isinstance(root, MappingNode) else None
    if not isinstance(settings, MappingNode):
        return
    for key in settings.keys.values():
        if (name := _meant_name(key.text, settings)) is not None:
            message = f"no shipped rule asks for `{printable(key.text, 60)}`"
            yield Finding("unknown-setting", message, key.place, f"did you mean '{name}'?", Severity.WARNING)
    for name, value in settings.values.items():
        meant = meant_value(name, value.value) if isinstance(value, ScalarNode) else None
        if meant is not None and isinstance(value, ScalarNode):
            message = f"no shipped rule knows `{printable(name, 60)}: {printable(value.text, 60)}`"
            hint = f"did you mean '{meant}'?"
            yield Finding("unknown-value", message, value.place, hint, Severity.WARNING)


def _meant_name(name: str, settings: MappingNode) -> str | None:
    """The setting of the shipped rules that a name most likely stands for; a site may have others of its own."""
    known = _known()
    return None if name in known else did_you_mean(name, [one for one in known if one not in settings.values])


def _known() -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = read_schema("configuration.schema")["properties"]["settings"]["properties"]
    return found
