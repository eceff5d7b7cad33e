"""Processes on this host: started without a shell, bounded in time and output, ended as a group."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from amierules.ports.conversation import Conversation
from amierules.ports.orphans import MARK, current_mark, current_patience

DEFAULT_TIMEOUT = 600.0
"""Seconds that a process may take where nobody says."""

KEPT_OUTPUT = 1_000_000
"""Bytes of standard output, and of standard error, that are kept."""

_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
_INHERITED = ("USER", "LOGNAME", "TZ", "TMPDIR")
ORPHAN_MARGIN = 10
"""Seconds after our own deadline at which `timeout` ends a process whose engine has died."""


class Hidden(Protocol):
    """A word that is shown as `***` and whose text is known to `reveal` alone."""

    def reveal(self) -> str:
        """The text itself."""


class NotStarted(Exception):
    """The program could not be started (not there, not executable, unusable words): nothing has happened."""


@dataclass(frozen=True)
class Completed:
    """A process that has ended."""

    argv: tuple[str, ...]
    """The argument list as it may be shown: hidden words are `***`."""
    rc: int
    """The exit status; `-N` where signal N ended the process."""
    stdout: str
    stderr: str
    timed_out: bool = False
    """The process was ended because it took too long."""
    truncated: bool = False
    """Some output was dropped: the end of standard output, or the beginning of standard error."""


class Processes(Protocol):
    """Runs programs."""

    def run(
        self,
        argv: Sequence[str | Hidden],
        *,
        stdin: str | Hidden | None = None,
        env: Mapping[str, str | Hidden] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
    ) -> Completed:
        """Run a program to its end and return what it left.

        `env` is added to a minimal environment; `timeout` is in seconds. Raises `NotStarted`.
        """


class LocalProcesses:
    """Programs on this host, each in a process group of its own.

    At the deadline the whole group gets SIGTERM, five seconds later SIGKILL. Where coreutils' `timeout` is there, the
    program runs under it, with a slightly later deadline: so it ends even when this process has been killed.
    """

    def __init__(self, default_timeout: float = DEFAULT_TIMEOUT, kept_output: int = KEPT_OUTPUT) -> None:
        self._default_timeout = default_timeout
        self._kept_output = kept_output
        self._timeout_program = shutil.which("timeout", path=os.pathsep.join(_PATH))
        self._env_program = shutil.which("env", path=os.pathsep.join(_PATH))

    def run(
        self,
        argv: Sequence[str | Hidden],
        *,
        stdin: str | Hidden | None = None,
        env: Mapping[str, str | Hidden] | None = None,
        cwd: str | None = None,
        timeout: float | None = None,
    ) -> Completed:
        """Run a program to its end and return what it left; see `Processes.run`."""
        shown = tuple(str(word) for word in argv)
        seconds = self._default_timeout if timeout is None else timeout
        try:
            environment = {name: encoded(value) for name, value in {**minimal_environment(), **(env or {})}.items()}
            words = [encoded(word) for word in argv]
            given = None if stdin is None else encoded(stdin)
            program = _program(words, environment["PATH"], cwd)
            before = self._ended_with_us_or_without(seconds, environment)
            process = subprocess.Popen(
                [*before, program, *words[1:]],
                stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=environment,
                cwd=cwd,
                start_new_session=True,
                bufsize=0,
            )
        except (OSError, ValueError) as error:
            raise NotStarted(_reason(error, shown)) from error
        with Conversation(process, given, self._kept_output, current_patience()) as conversation:
            conversation.hold(seconds)
        return Completed(
            shown,
            -signal.SIGKILL if process.returncode is None else process.returncode,
            conversation.stdout.decode("utf-8", "replace"),
            conversation.stderr.decode("utf-8", "replace"),
            conversation.timed_out,
            conversation.truncated,
        )

    def _ended_with_us_or_without(self, seconds: float, environment: dict[str, bytes]) -> list[bytes]:
        """What stands before the program. Where its engine marks it, `environment` gets the mark."""
        mark = current_mark()
        if mark is not None:
            environment[MARK] = mark.encode()
        if self._timeout_program is None:
            return []
        deadline = f"{seconds + ORPHAN_MARGIN:.3f}"
        # The mark is for the process that leads the group: what the program starts may go on for good.
        unmarked = [self._env_program, "-u", MARK] if mark is not None and self._env_program is not None else []
        return [word.encode() for word in (self._timeout_program, "-k", "5", deadline, *unmarked)]


def encoded(word: str | Hidden) -> bytes:
    """The bytes that a program is given. Raises `ValueError` where it holds NUL."""
    text = word if isinstance(word, str) else word.reveal()
    if "\0" in text:
        raise ValueError("a word holds a NUL character")
    return text.encode("utf-8", "surrogateescape")


def _path() -> str:
    """Our own absolute folders, then those of system programs: an administrator's PATH may lack the sbin folders."""
    folders = [folder for folder in os.environ.get("PATH", "").split(os.pathsep) if folder.startswith("/")]
    return os.pathsep.join(dict.fromkeys((*folders, *_PATH)))


def find_program(name: str) -> str | None:
    """The path of the program that a command of this name would start; None where there is none."""
    return shutil.which(name, path=_path())


def minimal_environment() -> dict[str, str]:
    """PATH with the sbin folders, a UTF-8 locale, HOME, and who we are: the same from a terminal and from a timer."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {
        **inherited,
        "PATH": _path(),
        "LANG": "C.UTF-8",
        "HOME": os.environ.get("HOME") or os.path.expanduser("~"),
    }


def _program(words: list[bytes], path: bytes, cwd: str | None) -> bytes:
    """The path of the program to start, so that one that is missing is known before `timeout` looks for it."""
    if not words or not words[0]:
        raise ValueError("there is no program to run")
    name = os.fsdecode(words[0])
    wanted = os.path.join(cwd or "", name) if "/" in name else name
    found = shutil.which(wanted, path=os.fsdecode(path))
    if found is None:
        if os.path.isfile(wanted):
            raise PermissionError(f"{name} is not executable")
        raise FileNotFoundError(f"{name}: no such program")
    return os.fsencode(os.path.abspath(found))


def _reason(error: OSError | ValueError, shown: tuple[str, ...]) -> str:
    if isinstance(error, OSError) and error.strerror:
        about = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else (shown[0] if shown else "")
        return f"{about}: {error.strerror}"
    if isinstance(error, UnicodeError):
        return "a word cannot be written as UTF-8"
    return str(error)
