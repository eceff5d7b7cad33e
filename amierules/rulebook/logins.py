"""How new logins look, and which command tells that one is taken: the configuration's `logins`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amierules.diagnostics import Finding, printable
from amierules.diagnostics.suggest import hint_for
from amierules.rulebook.compiled import Words, used_names
from amierules.rulebook.compiler import Compiler
from amierules.rulebook.durations import duration_seconds
from amierules.rulebook.model import Compiled
from amierules.rulebook.nodes import MappingNode, Node
from amierules.rulebook.positions import name_place
from amierules.templating import Environment

CANDIDATE = "login"
"""The one name that the words of `taken` may use."""


@dataclass(frozen=True)
class Taken:
    """The command that is asked of each candidate: status 0 means that somebody has the login."""

    run: Compiled
    source: Any
    """Its words as they stand in the file."""
    free: tuple[int, ...] = (1, 2)
    """The statuses that mean that nobody has it; any other says nothing."""
    timeout: float = 30


@dataclass(frozen=True)
class LoginPolicy:
    """How new logins look."""

    prefix: str = ""
    pattern: str = "[a-z][a-z0-9]{1,15}"
    """What a whole login must match."""
    reserved: tuple[str, ...] = ()
    taken: Taken | None = None


def read_logins(node: Node | None, plain: Mapping[str, Any]) -> tuple[LoginPolicy, list[Finding]]:
    """The checked `logins` section as values, and what is wrong with the words of its command."""
    default = LoginPolicy()
    given = node.get("taken") if isinstance(node, MappingNode) else None
    taken, findings = _taken(given, plain.get("taken", {})) if isinstance(given, MappingNode) else (None, [])
    policy = LoginPolicy(
        plain.get("prefix", default.prefix),
        plain.get("pattern", default.pattern),
        tuple(plain.get("reserved", ())),
        taken,
    )
    return policy, findings


def _taken(node: MappingNode, plain: Mapping[str, Any]) -> tuple[Taken | None, list[Finding]]:
    words = node.get("run")
    if words is None:
        return None, []
    compiler = Compiler(Environment(), {})
    run = compiler.words(words)
    findings = [*compiler.findings]
    names = list(used_names(run))
    for name, scalar in names:
        if name != CANDIDATE:
            message = f"there is no name '{printable(name, 60)}' here"
            hint = hint_for(name, [CANDIDATE]) or f"'{CANDIDATE}' is the candidate that is asked about"
            findings.append(Finding("undefined-name", message, name_place(scalar, name), hint))
    if isinstance(run, Words) and not names:
        hint = f'like run: [getent, passwd, "{{{{ {CANDIDATE} }}}}"]'
        findings.append(Finding("bad-value", "the command does not name the candidate", words.place, hint))
    default = Taken(run, plain["run"])
    free = tuple(plain.get("free", default.free))
    timeout = duration_seconds(plain["timeout"]) if "timeout" in plain else default.timeout
    return Taken(run, plain["run"], free, timeout), findings
