"""Slurm, as `doctor` sees it: whether it answers, whether it has the clusters, and whether we may write."""

import os
import pwd
from collections.abc import Iterator, Sequence

from amierules.actions.slurm_calls import DEFAULT_TIMEOUT, KINDS, environment
from amierules.actions.words import last_line
from amierules.diagnostics import ExitStatus, printable
from amierules.engine.health.check import Check, Health, error, ok, warning
from amierules.engine.rule_programs import actions_of
from amierules.ports import Completed, LocalProcesses, NotStarted
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.model import Rulebook
from amierules.rulebook.settings import strange_value

_WHAT = "slurm"
_MAY_WRITE = ("Administrator", "Operator")


def check_slurm(configuration: Configuration, rulebook: Rulebook) -> Iterator[Check]:
    """Whether Slurm's accounts can be kept, where the rules ask for it."""
    given = configuration.settings.get("scheduler", "slurm")
    if (hint := strange_value("scheduler", given, configuration.rules)) is not None:
        message = f"no rule knows `scheduler: {printable(given, 60)}`: they touch no scheduler then"
        yield warning(_WHAT, message, hint)
        return
    if given == "none" or not any(action.kind in KINDS for action in actions_of(rulebook)):
        return
    try:
        yield from _look(configuration)
    except NotStarted as reason:
        hint = "install Slurm's client programs, or give the path of sacctmgr under `slurm:`"
        yield error(_WHAT, f"sacctmgr cannot be started: {printable(str(reason))}", hint)


def _look(configuration: Configuration) -> Iterator[Check]:
    known = _asked(configuration, "cluster", "Cluster")
    if known.rc != 0 or known.timed_out:
        said = "it takes too long" if known.timed_out else last_line(known.stderr) or f"status {known.rc}"
        hint = "is slurmdbd running, and does `slurm.conf` (or the configuration's `slurm: {conf: ...}`) name it?"
        yield Check(_WHAT, Health.ERROR, f"sacctmgr gets no answer: {said}", hint, ExitStatus.UNAVAILABLE)
        return
    clusters = known.stdout.split()
    missing = [name for name in _wanted(configuration) if name not in clusters]
    if missing:
        listed = ", ".join(clusters) or "none"
        yield error(_WHAT, f"it has no cluster {printable(missing[0], 60)}", f"its clusters: {printable(listed)}")
    else:
        yield ok(_WHAT, f"it answers; its clusters: {printable(', '.join(clusters))}")
    yield from _rights(configuration)


def _wanted(configuration: Configuration) -> list[str]:
    named = [given.get("cluster") for given in configuration.resources.values()]
    return sorted({str(name).lower() for name in (*named, configuration.slurm.get("cluster")) if name is not None})


def _rights(configuration: Configuration) -> Iterator[Check]:
    if os.geteuid() == 0:
        return
    name = pwd.getpwuid(os.geteuid()).pw_name
    level = _asked(configuration, "user", "AdminLevel", "where", f"user={name}").stdout.strip()
    if level not in _MAY_WRITE:
        hint = f"as root: sacctmgr modify user {printable(name)} set adminlevel=Administrator"
        yield warning(_WHAT, f"{printable(name)} may not change its accounts", hint)


def _asked(configuration: Configuration, what: str, column: str, *where: str) -> Completed:
    settings = configuration.slurm
    words: Sequence[str] = (settings.get("sacctmgr", "sacctmgr"), "-nP", "show", what, *where, f"format={column}")
    seconds = settings.get("timeout", DEFAULT_TIMEOUT)
    return LocalProcesses().run(words, env=environment(settings), timeout=seconds)
