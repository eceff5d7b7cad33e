"""Settings that shipped rules ask for: the values that they know stand in the schema of the configuration."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from amierules.diagnostics import Finding, Severity, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.rulebook.nodes import MappingNode, Node, ScalarNode
from amierules.shipped import read_schema


def strange_value(setting: str, given: object, folders: Sequence[Path]) -> str | None:
    """What to say of a value that neither shipped rules nor those in the folders know; None for any other.

    A site's own rules may know more values: those that stand in them as texts.
    """
    values = _known().get(setting, {}).get("examples", ())
    if not isinstance(given, str) or not values or given in values or _is_asked_for(given, folders):
        return None
    meant = did_you_mean(given, values)
    return f"did you mean '{meant}'?" if meant is not None else f"known: {', '.join(values)}"


def _is_asked_for(value: str, folders: Sequence[Path]) -> bool:
    """Whether any rule file has the value in quotes."""
    wanted = [f"{sign}{value}{sign}".encode() for sign in "'\""]
    for folder in folders:
        for file in folder.rglob("*.y*ml"):
            with suppress(OSError):
                content = file.read_bytes()
                if any(one in content for one in wanted):
                    return True
    return False


def check_settings(root: Node, folders: Sequence[Path]) -> Iterator[Finding]:
    """Warnings about misspelt settings: the rules would take the default, or a value that they do not know."""
    settings = root.get("settings") if isinstance(root, MappingNode) else None
    if not isinstance(settings, MappingNode):
        return
    for key in settings.keys.values():
        if (name := _meant_name(key.text, settings)) is not None:
            message = f"no shipped rule asks for `{printable(key.text, 60)}`"
            yield Finding("unknown-setting", message, key.place, f"did you mean '{name}'?", Severity.WARNING)
    for name, value in settings.values.items():
        hint = strange_value(name, value.value, folders) if isinstance(value, ScalarNode) else None
        if hint is not None and isinstance(value, ScalarNode):
            message = f"no rule knows `{printable(name, 60)}: {printable(value.text, 60)}`"
            yield Finding("unknown-value", message, value.place, hint, Severity.WARNING)


def _meant_name(name: str, settings: MappingNode) -> str | None:
    """The setting of the shipped rules that a name most likely stands for; a site may have others of its own."""
    known = _known()
    return None if name in known else did_you_mean(name, [one for one in known if one not in settings.values])


def _known() -> Mapping[str, Mapping[str, Any]]:
    found: Mapping[str, Mapping[str, Any]] = read_schema("configuration.schema")["properties"]["settings"]["properties"]
    return found
