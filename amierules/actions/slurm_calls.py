"""Slurm's sacctmgr and sshare: what may be given to them, one writer at a time, and what their answers mean."""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from amierules.actions.base import ActionError, BackendUnavailable, Params, Surroundings, Transient, Word, expected
from amierules.actions.serialised import one_at_a_time
from amierules.actions.words import all_known, last_line, shown
from amierules.diagnostics import printable
from amierules.ports import Completed, NotStarted
from amierules.protocol.charset import transliterated
from amierules.templating import Unknown

BACK_END = "slurm"
SECTION = "slurm"
"""The section of the configuration that says where Slurm is."""
KINDS = ("slurm_account", "slurm_association")
DEFAULT_TIMEOUT = 60
"""Seconds that a call may take where neither step nor configuration says."""
NONE = "none"
"""What a rule writes to clear a limit or a default."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,99}", re.ASCII)
_UNFIT_TEXT = re.compile(r"[\s|\"'`\\\x00-\x1f\x7f]+")
_OPERATORS = " =+-<>!"
_LONGEST_TEXT = 200
_LOCK = "amierules-slurm.lock"
_UNREACHABLE = re.compile(
    r"connection refused|unable to contact|unable to connect|failed to open persistent|sending persistinit|"
    r"problem talking to|communications? connection|connection timed out|socket timed out|protocol authentication|"
    r"failed to access|could not establish|no route to host|error connecting|can't be reached",
    re.IGNORECASE,
)
_RUNNING_JOBS = "job(s) active"


def folded(value: Any) -> Any:
    """A name as Slurm keeps it, in small letters; what is not known yet stays so."""
    if isinstance(value, Unknown):
        return Unknown(value.step, folded(value.expected)) if value.has_expected else value
    return value.lower() if isinstance(value, str) else value


def check_name(what: str, name: object) -> None:
    """Refuse a name that sacctmgr could take for a list, a range, an option or a word of its own. Raises `ActionError`.

    Names have letters, digits and `_ . @ + -`, and begin with a letter, digit or `_`.
    """
    value = expected(name)
    if not isinstance(value, Unknown) and not (isinstance(value, str) and _NAME.fullmatch(value)):
        raise ActionError(f"{what} '{printable(value, 60)}' cannot be a name in Slurm")


def fit_text(text: str) -> str:
    """A description as Slurm keeps it: ASCII, small letters, without quotes, `|` and control characters.

    What sacctmgr could take for a part of an operator (`==`, `+=`) is dropped from its beginning.
    """
    return _UNFIT_TEXT.sub(" ", transliterated(text)).lstrip(_OPERATORS).lower()[:_LONGEST_TEXT].strip()


def word(key: str, text: str, *sources: object) -> Word:
    """`key=text` as one word; unknown, but expected, where one of the values that it was made from is unknown."""
    unknown = _first_unknown(sources)
    said = f"{key}={text}"
    return said if unknown is None else Unknown(unknown.step, said)


def _first_unknown(value: object) -> Unknown | None:
    """The first value that is not known yet, in lists and mappings too."""
    if isinstance(value, Unknown):
        return value
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return next((found for one in inner if (found := _first_unknown(one)) is not None), None)


def cluster_of(params: Params, surroundings: Surroundings) -> Any:
    """The cluster: the step's, else that of its resource or the packet's, else the configuration's `slurm.cluster`.

    Raises `ActionError` where there is none.
    """
    settings = _settings(surroundings)
    named = expected(params.get("resource", surroundings.resource))
    of_resource = settings.get("clusters", {}).get(named) if not isinstance(named, Unknown) else named
    cluster = params.get("cluster", of_resource or settings.get("cluster"))
    if cluster is None:
        resource = printable(named or "NAME")
        raise ActionError(
            f"no cluster is given, nor `resources: {{{resource}: {{cluster: ...}}}}`, nor `slurm.cluster`"
        )
    check_name("cluster", cluster)
    return folded(cluster)


def ask(surroundings: Surroundings, program: str, *words: str) -> str:
    """What a program of Slurm prints when it is asked. Raises `BackendUnavailable` where it does not answer."""
    completed = _run(surroundings, [program, *words])
    if completed.truncated:
        raise ActionError(f"{program} said more than can be read")
    if completed.rc != 0 or completed.timed_out:
        # What is asked is well formed: it can only be Slurm that does not answer.
        raise BackendUnavailable(_said(completed), BACK_END)
    return completed.stdout


def tell(surroundings: Surroundings, argv: Sequence[Word]) -> Completed:
    """Have sacctmgr write, while no other amierules process of this host does. Raises `ActionError`."""
    words = list(argv)
    if not all_known(words):
        raise ActionError(f"{shown(words)}: not all of it is known yet")
    # Parallel writers end a slurmdbd over a MariaDB with its own defaults by a deadlock.
    with one_at_a_time("Slurm's accounts", _lock_file(surroundings)):
        return _run(surroundings, words)


def failure(completed: Completed) -> ActionError:
    """The error that an answer of sacctmgr stands for, once it is known that the state is not as wanted."""
    printed = f"{completed.stderr}\n{completed.stdout}".lower()
    if completed.timed_out or _UNREACHABLE.search(printed):
        return BackendUnavailable(_said(completed), BACK_END)
    if "permission denied" in printed:
        return ActionError(
            f"{_said(completed)}: amierules must run as an Administrator of Slurm's accounts, as root is"
        )
    if _RUNNING_JOBS in printed:
        return Transient(_said(completed))
    return ActionError(_said(completed))


def sacctmgr(surroundings: Surroundings) -> str:
    """The program that keeps accounts, as the configuration has it."""
    return str(_settings(surroundings).get("sacctmgr", "sacctmgr"))


def sshare(surroundings: Surroundings) -> str:
    """The program that tells usage: it lies beside sacctmgr."""
    return os.path.join(os.path.dirname(sacctmgr(surroundings)), "sshare")


def environment(settings: Mapping[str, Any]) -> dict[str, str]:
    """What Slurm's programs need to find the Slurm that the configuration means."""
    return {"SLURM_CONF": str(settings["conf"])} if "conf" in settings else {}


def _settings(surroundings: Surroundings) -> Mapping[str, Any]:
    return surroundings.defaults.get(SECTION, {})


def _run(surroundings: Surroundings, words: Sequence[Any]) -> Completed:
    settings = _settings(surroundings)
    limits = (surroundings.timeout, settings.get("timeout", DEFAULT_TIMEOUT))
    seconds = min(limit for limit in limits if limit is not None)
    try:
        return surroundings.world.processes.run(words, env=environment(settings), timeout=seconds)
    except NotStarted as error:
        raise ActionError(f"not started: {error}") from error


def _said(completed: Completed) -> str:
    program = os.path.basename(completed.argv[0])
    lines = [line.strip() for line in completed.stderr.splitlines() if line.strip()]
    if completed.timed_out:
        return f"{program} took too long and was ended" + (f"; it said: {printable(lines[0])}" if lines else "")
    # Hints to ask the administrator follow what was wrong.
    said = printable(lines[0]) if lines else last_line(completed.stdout)
    return said if said.startswith(f"{program}:") else f"{program}: {said or f'ended with status {completed.rc}'}"


def _lock_file(surroundings: Surroundings) -> str:
    host = surroundings.world.host
    if host.superuser:
        return host.path(f"/run/{_LOCK}")
    return os.path.join(tempfile.gettempdir(), f"{os.geteuid()}-{_LOCK}")
