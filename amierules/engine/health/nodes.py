"""Other nodes, as `doctor` sees them: whether those that the configuration and the rules name can be reached."""

from collections.abc import Iterator

from amierules.diagnostics import printable
from amierules.engine.health.check import Check, error, ok
from amierules.engine.rule_programs import actions_of, node_sets, where_accounts_are_made
from amierules.ports import Ending, Nodes, NotStarted
from amierules.rulebook.configuration import LOGIN_NODES, Configuration
from amierules.rulebook.model import Rulebook

_PATIENCE = 30.0
_IS_THERE = ("sh", "-c", 'command -v -- "$1" >&2', "sh")
"""Whether the program whose name follows can be run."""


def check_nodes(configuration: Configuration, rulebook: Rulebook, nodes: Nodes) -> Iterator[Check]:
    """Whether a command can be run on each node; each set of nodes that is written somewhere is looked at once."""
    for written, place in _sets(configuration, rulebook).items():
        what = f"nodes {printable(written, 40)}"
        try:
            names = nodes.expand(written)
            done = nodes.run(names, ["true"], timeout=_PATIENCE)
        except NotStarted as reason:
            yield error(what, f"{place}: {reason}", "correct it, or install what is missing")
            continue
        wrong = [one for one in done.values() if one.ending not in (Ending.ENDED, Ending.LEFT_OUT) or one.rc]
        for one in wrong:
            detail = f"{one.node}: {one.reason or f'`true` ended with status {one.rc}'}"
            yield error(what, detail, f"{place} needs it; `ssh:` in {configuration.path.name} says how it is reached")
        if not wrong:
            yield ok(what, f"{len(done)} reached")


def check_accounts_command(configuration: Configuration, rulebook: Rulebook, nodes: Nodes) -> Iterator[Check]:
    """Whether the site's own command for accounts is on the nodes on which rules run it, those that can be reached."""
    if configuration.settings.get("accounts") != "command":
        return
    given = configuration.settings["accounts_command"]
    program = given if isinstance(given, str) else given[0]
    for written in where_accounts_are_made(configuration, rulebook)[1]:
        try:
            done = nodes.run(nodes.expand(written), [*_IS_THERE, program], timeout=_PATIENCE)
        except NotStarted:
            continue
        answers = [one for one in done.values() if one.ending is Ending.ENDED]
        lacking = [one.node for one in answers if one.rc]
        if lacking:
            hint = "correct `accounts_command` under `settings`, or put it there"
            yield error(
                "accounts", f"{', '.join(lacking)}: {printable(program)} is missing, which makes accounts", hint
            )
        elif answers:
            yield ok("accounts", f"by this site's own command, {printable(program)}, on {printable(written, 60)}")


def _sets(configuration: Configuration, rulebook: Rulebook) -> dict[str, str]:
    """The sets of nodes that need no packet to be known, each with the first place that names it."""
    found: dict[str, str] = {}
    for name, resource in configuration.resources.items():
        for written in _texts(resource.get(LOGIN_NODES)):
            found.setdefault(written, f"{LOGIN_NODES} of {name}")
    for action in actions_of(rulebook):
        for written in node_sets(action, configuration):
            found.setdefault(written, f"{action.place.file}:{action.place.line}")
    return found


def _texts(written: object) -> list[str]:
    listed = written if isinstance(written, list) else [written]
    return [one for one in listed if isinstance(one, str) and "{{" not in one]
