"""Which programs a rulebook starts, and where, as far as its text says."""

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Any

from amierules.rulebook.configuration import Configuration
from amierules.rulebook.model import Action, Rulebook

SHADOW_TOOLS = ("useradd", "usermod", "userdel", "groupadd", "groupdel")
"""The programs of the kinds `user` and `group`."""
_SETTING = re.compile(r"\{\{\s*site\.(\w+)\s*\}\}")
_ACCOUNTS_COMMAND = "accounts_command"


def actions_of(rulebook: Rulebook) -> Iterator[Action]:
    """All actions of rules, and of the blocks that they use."""
    files = {file.path: file for file in rulebook.by_type.values()}
    waiting = [action for file in files.values() for rule in file.rules for action in rule.actions]
    seen: set[str] = set()
    while waiting:
        action = waiting.pop(0)
        yield action
        name = json.loads(action.source).get("use")
        if name in rulebook.blocks and name not in seen:
            seen.add(name)
            waiting += rulebook.blocks[name].actions


def wants_accounts(configuration: Configuration, rulebook: Rulebook) -> bool:
    """Whether rules change Unix accounts: there is such an action, and the settings name nobody else who keeps them."""
    asked = configuration.settings.get("accounts", "shadow") not in ("none", "ldap", "command")
    return asked and any(action.kind in ("user", "group") for action in actions_of(rulebook))


def node_sets(action: Action, configuration: Configuration) -> list[str]:
    """The sets of nodes on which a `command` is run, where its text or a setting says them."""
    given = _command_of(action)
    written = given.get("nodes") if isinstance(given, dict) else None
    found = []
    for one in written if isinstance(written, list) else [written]:
        setting = _SETTING.fullmatch(one) if isinstance(one, str) else None
        value = configuration.settings.get(setting[1]) if setting is not None else one
        found += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str)]
    return [one for one in found if "{{" not in one]


def where_accounts_are_made(configuration: Configuration, rulebook: Rulebook) -> tuple[bool, list[str]]:
    """Whether the site's own command for accounts is run on this host, and the sets of nodes on which it is."""
    here, away = False, dict[str, None]()
    for action in actions_of(rulebook):
        given = _command_of(action)
        if not isinstance(given, dict) or _ACCOUNTS_COMMAND not in _settings_in(given.get("run")):
            continue
        here |= given.get("nodes") is None
        away |= dict.fromkeys(node_sets(action, configuration))
    return here, list(away)


def _command_of(action: Action) -> Any:
    """What stands beside `command`; None for another kind."""
    return json.loads(action.source).get("command")


def _settings_in(words: object) -> list[str]:
    listed = words if isinstance(words, list) else [words]
    return [name for word in listed if isinstance(word, str) for name in _SETTING.findall(word)]


def programs_of(rulebook: Rulebook, configuration: Configuration) -> dict[str, str]:
    """The programs that `command` actions and `logins.taken` start, each with the place of the first that does.

    A program that only an expression tells, and a path that is relative to a folder, are left out.
    """
    found: dict[str, str] = {}
    for action in actions_of(rulebook):
        if action.kind == "command":
            for program in _programs(_command_of(action)):
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
