"""Which programs a rulebook starts, as far as its text says."""

import json
import shlex
from collections.abc import Iterable, Iterator
from typing import Any

from amierules.rulebook.configuration import Configuration
from amierules.rulebook.model import Action, Rulebook

SHADOW_TOOLS = ("useradd", "usermod", "userdel", "groupadd", "groupdel")
"""The programs of the kinds `user` and `group`."""


def actions_of(rulebook: Rulebook) -> Iterator[Action]:
    """All actions of rules and blocks."""
    files = {file.path: file for file in rulebook.by_type.values()}
    for file in files.values():
        for rule in file.rules:
            yield from rule.actions
    for block in rulebook.blocks.values():
        yield from block.actions


def wants_accounts(configuration: Configuration, rulebook: Rulebook) -> bool:
    """Whether rules change Unix accounts: there is such an action, and the settings name nobody else who keeps them."""
    asked = configuration.settings.get("accounts", "shadow") not in ("none", "ldap", "command")
    return asked and any(action.kind in ("user", "group") for action in actions_of(rulebook))


def programs_of(rulebook: Rulebook, configuration: Configuration) -> dict[str, str]:
    """The programs that `command` actions and `logins.taken` start, each with the place of the first that does.

    A program that only an expression tells, and a path that is relative to a folder, are left out.
    """
    found: dict[str, str] = {}
    for action in actions_of(rulebook):
        if action.kind == "command":
            for program in _programs(json.loads(action.source)["command"]):
                found.setdefault(program, f"{action.place.file}:{action.place.line}")
    taken = configuration.logins.taken
    for program in _first_word(taken.source) if taken is not None else ():
        found.setdefault(program, f"logins.taken in {configuration.path.name}")
    return found


def _programs(command: Any) -> Iterable[str]:
    if not isinstance(command, dict):
        return _first_word(command)
    if command.get("nodes") is not None:
        return ["ssh"]
    guard = command.get("unless")
    asked = guard.get("run") if isinstance(guard, dict) else None
    run = "/bin/sh" if command.get("shell") is True else command.get("run")
    return [*_first_word(run), *_first_word(asked)]


def _first_word(words: object) -> list[str]:
    try:
        split = shlex.split(words) if isinstance(words, str) else words
    except ValueError:
        return []
    first = split[0] if isinstance(split, list) and split else None
    if not isinstance(first, str) or "{{" in first or ("/" in first and not first.startswith("/")):
        return []
    return [first]
