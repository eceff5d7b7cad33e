"""Asking the configuration's `logins.taken` whether somebody outside the registry has a login."""

from collections.abc import Callable

from amierules.actions.base import ActionError, Transient
from amierules.actions.words import last_line
from amierules.ports import NotStarted, Processes
from amierules.rulebook.logins import CANDIDATE, Taken

_MOST = 100
"""How many logins may be taken one after the other before the command is not believed any more."""


class TakenLogins:
    """Asks about the candidates of one step, outside any transaction."""

    def __init__(self, taken: Taken, processes: Processes, before_outside: Callable[[], None]) -> None:
        """`before_outside` is called before the command is run: it may take its time."""
        self._taken = taken
        self._processes = processes
        self._before_outside = before_outside
        self._found = 0

    def has(self, login: str) -> bool:
        """Whether somebody has the login. Raises `Transient` where nobody can tell, `ActionError` where it says so of
        each of a hundred.
        """
        words = self._taken.run.evaluate({CANDIDATE: login})
        assert isinstance(words, list)  # noqa: S101 - words are
        self._before_outside()
        try:
            completed = self._processes.run(words, timeout=self._taken.timeout)
        except NotStarted as error:
            raise Transient(f"logins.taken cannot tell whether {login} is taken: {error}") from error
        if completed.timed_out or completed.rc not in (0, *self._taken.free):
            how = "it took too long" if completed.timed_out else f"it ended with status {completed.rc}"
            said = last_line(completed.stderr)
            said = f": {said}" if said else ""
            raise Transient(f"logins.taken cannot tell whether {login} is taken: {how}{said}")
        if completed.rc != 0:
            return False
        self._found += 1
        if self._found >= _MOST:
            raise ActionError(f"logins.taken says of {_MOST} logins that they are taken: is the command right?")
        return True
