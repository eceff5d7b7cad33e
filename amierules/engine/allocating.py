"""Giving out ids and logins: reserved for a packet's step in a run, only expected in a dry run."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from anyascii import anyascii

from amierules.actions.base import ActionError
from amierules.database import reservations
from amierules.database.connection import Database
from amierules.rulebook.configuration import Configuration, LoginPolicy
from amierules.rulebook.ids import IdSource
from amierules.templating import Unknown

_NUMBERED = 9999


@dataclass(frozen=True)
class RunAllocator:
    """Reserves values for one step of a packet: committed at once, the same on every pass."""

    database: Database
    configuration: Configuration
    packet_rec_id: int
    path: str

    def number(self, what: str, others: Mapping[str, int | Unknown | None]) -> int | Unknown | None:
        """The next free number, as the configuration's `ids` say; None where they say nothing."""
        return _number(self.configuration, what, others, self._reserve_number)

    def login(self, wishes: Sequence[str]) -> str | Unknown:
        """The first free login. Raises `ActionError` where no wish is usable."""
        candidates = login_candidates(wishes, self.configuration.logins)
        return _first_free(
            lambda: reservations.reserve_text(self.database, "login", candidates, self.packet_rec_id, self.path)
        )

    def _reserve_number(self, what: str, ranges: Sequence[tuple[int, int]]) -> int | Unknown:
        also = _followers(self.configuration, what)
        return reservations.reserve_number(self.database, what, ranges, self.packet_rec_id, self.path, also=also)


@dataclass(frozen=True)
class DryAllocator:
    """Tells what would be given, known only after the step."""

    database: Database
    configuration: Configuration
    packet_rec_id: int
    path: str
    promised: dict[tuple[str, str], int] = field(default_factory=dict)
    """The numbers that the steps of the same dry run expect, by path and id; shared by their allocators."""

    def number(self, what: str, others: Mapping[str, int | Unknown | None]) -> int | Unknown | None:
        """The number that is expected; None where the configuration's `ids` say nothing."""
        return _number(self.configuration, what, others, self._expect_number)

    def login(self, wishes: Sequence[str]) -> str | Unknown:
        """The login that is expected. Raises `ActionError` where no wish is usable."""
        candidates = login_candidates(wishes, self.configuration.logins)
        login = _first_free(
            lambda: reservations.expected_text(self.database, "login", candidates, self.packet_rec_id, self.path)
        )
        return Unknown(self.path, login)

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


def _first_free(find: Callable[[], str]) -> str:
    try:
        return find()
    except reservations.Exhausted as error:
        raise ActionError(
            "none of the wishes in `login_from` makes a login that the configuration's `logins` allow"
        ) from error


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
