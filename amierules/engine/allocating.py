"""Giving out ids and logins: reserved for a packet's step in a run, only expected in a dry run."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from anyascii import anyascii

from amierules.actions.base import ActionError
from amierules.database import reservations
from amierules.database.connection import Database
from amierules.engine.site import CrashPoint
from amierules.engine.taken_logins import TakenLogins
from amierules.ports import Processes
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.ids import IdSource
from amierules.rulebook.logins import LoginPolicy
from amierules.templating import Unknown

_NUMBERED = 9999
_GiveText = Callable[[Database, str, Iterable[str], int, str], str]


@dataclass(frozen=True)
class RunAllocator:
    """Reserves values for one step of a packet: committed at once, the same on every pass."""

    database: Database
    configuration: Configuration
    packet_rec_id: int
    path: str
    processes: Processes
    crash_point: CrashPoint
    before_outside: Callable[[], None]
    """Called when somebody outside is about to be asked."""

    def number(self, what: str, others: Mapping[str, int | Unknown | None]) -> int | Unknown | None:
        """The next free number, as the configuration's `ids` say; None where they say nothing."""
        return _number(self.configuration, what, others, self._reserve_number)

    def login(self, wishes: Sequence[str]) -> str | Unknown:
        """The first free login. Raises `ActionError` where no wish is usable, or nobody can tell which is free."""
        login = _first_free(self, reservations.reserve_text, wishes)
        self.crash_point("after reservation")
        return login

    def _reserve_number(self, what: str, ranges: Sequence[tuple[int, int]]) -> int | Unknown:
        also = _followers(self.configuration, what)
        number = reservations.reserve_number(self.database, what, ranges, self.packet_rec_id, self.path, also=also)
        self.crash_point("after reservation")
        return number


@dataclass(frozen=True)
class DryAllocator:
    """Tells what would be given, known only after the step."""

    database: Database
    configuration: Configuration
    packet_rec_id: int
    path: str
    processes: Processes
    promised: dict[tuple[str, str], int] = field(default_factory=dict)
    """The numbers that the steps of the same dry run expect, by path and id; shared by their allocators."""
    before_outside: Callable[[], None] = lambda: None

    def number(self, what: str, others: Mapping[str, int | Unknown | None]) -> int | Unknown | None:
        """The number that is expected; None where the configuration's `ids` say nothing."""
        return _number(self.configuration, what, others, self._expect_number)

    def login(self, wishes: Sequence[str]) -> str | Unknown:
        """The login that is expected. Raises `ActionError` where no wish is usable, or nobody can tell."""
        return Unknown(self.path, _first_free(self, reservations.expected_text, wishes))

    def _expect_number(self, what: str, ranges: Sequence[tuple[int, int]]) -> int | Unknown:
        pool = reservations.POOLS.get(what, (what,))
        avoid = [number for (_, other), number in self.promised.items() if other in pool]
        if (self.path, what) not in self.promised:
            self.promised[self.path, what] = reservations.expected_number(
                self.database,
                what,
                ranges,
                self.packet_rec_id,
                self.path,
                avoid=avoid,
                also=_followers(self.configuration, what),
            )
        return Unknown(self.path, self.promised[self.path, what])


def _followers(configuration: Configuration, what: str) -> list[str]:
    """The ids that take their number from this one."""
    return [name for name, source in vars(configuration.ids).items() if source.same_as == what]


def _number(
    configuration: Configuration,
    what: str,
    others: Mapping[str, int | Unknown | None],
    give: Callable[[str, Sequence[tuple[int, int]]], int | Unknown],
) -> int | Unknown | None:
    source: IdSource = getattr(configuration.ids, what)
    if source.same_as is not None:
        return others.get(source.same_as)
    if not source.ranges:
        return None
    try:
        return give(what, source.ranges)
    except reservations.Exhausted as error:
        raise ActionError(f"no free {what} is left: {error}") from error


def _first_free(one: RunAllocator | DryAllocator, give: _GiveText, wishes: Sequence[str]) -> str:
    """The login that `give` reserves or expects: the first that the registry does not have, and nobody else."""
    policy = one.configuration.logins
    candidates = login_candidates(wishes, policy)
    try:
        if policy.taken is None:
            return give(one.database, "login", candidates, one.packet_rec_id, one.path)
        return _first_not_taken(one, give, candidates, TakenLogins(policy.taken, one.processes, one.before_outside))
    except reservations.Exhausted as error:
        raise ActionError(
            "none of the wishes in `login_from` makes a login that the configuration's `logins` allow"
        ) from error


def _first_not_taken(
    one: RunAllocator | DryAllocator, give: _GiveText, candidates: Iterable[str], taken: TakenLogins
) -> str:
    """The first free login that the command does not know; it runs outside any transaction. Raises `Exhausted`."""
    # A login that is reserved is not asked about again: the packet itself may have made it.
    reserved = reservations.reserved_text(one.database, "login", one.packet_rec_id, one.path)
    if reserved is not None:
        return reserved
    for candidate in candidates:
        with suppress(reservations.Exhausted):
            reservations.expected_text(one.database, "login", (candidate,), one.packet_rec_id, one.path)
            if not taken.has(candidate):
                return give(one.database, "login", (candidate,), one.packet_rec_id, one.path)
    raise reservations.Exhausted("all possible logins are taken")


def login_candidates(wishes: Iterable[str], policy: LoginPolicy) -> Iterator[str]:
    """Logins in the order in which they are tried: each wish cleaned and prefixed, then the first one numbered."""
    usable = [login for login in (_cleaned(wish, policy) for wish in wishes) if login is not None]
    yield from dict.fromkeys(login for login in usable if login not in policy.reserved)
    for number in range(1, _NUMBERED + 1 if usable else 1):
        numbered = _shortened(usable[0], str(number), policy)
        if numbered is not None and numbered not in policy.reserved:
            yield numbered


def _cleaned(wish: str, policy: LoginPolicy) -> str | None:
    """A wish as a login: in ASCII, lower case, without what no login has; None where nothing usable is left."""
    letters = re.sub(r"[^a-z0-9_-]", "", anyascii(str(wish)).lower()).lstrip("0123456789_-")
    if not re.fullmatch(policy.pattern, policy.prefix + letters):
        letters = re.sub("[_-]", "", letters)
    return _shortened(policy.prefix + letters, "", policy, least=len(policy.prefix) + 1)


def _shortened(stem: str, ending: str, policy: LoginPolicy, least: int = 1) -> str | None:
    """The longest beginning of `stem` that with `ending` matches the policy's pattern; None where none does."""
    for length in range(len(stem), least - 1, -1):
        login = stem[:length] + ending
        if re.fullmatch(policy.pattern, login):
            return login
    return None
