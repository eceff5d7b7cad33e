"""When a Unix account expires: a lock is an expiry long past, and a rule may want both a lock and a date."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from amierules.actions.accounts_files import UserState
from amierules.actions.accounts_tools import LOCKED_SINCE
from amierules.actions.base import ActionError, Params, Word, expected
from amierules.actions.words import shown
from amierules.templating import Unknown

NEVER = "never"
"""What stands for no date."""
_LOCK_DAY = date.fromisoformat(LOCKED_SINCE)


@dataclass(frozen=True)
class Modification:
    """One field that is not as wanted, and the words for usermod."""

    name: str
    before: object
    after: object
    words: tuple[Word, ...]


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, as far as that is known: an unknown value equals only itself."""
    one, other = expected(one), expected(other)
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return one is other
    return bool(one == other)


@dataclass(frozen=True)
class Expiry:
    """What of an account's state tells when it expires."""

    locked: bool | None
    password_locked: bool
    expires: date | Unknown | None


def expiry_words(params: Params) -> list[Word]:
    """The options of useradd for the expiry of a new account: a lock comes before a date."""
    if expected(params.get("locked")) is True:
        return ["--expiredate", LOCKED_SINCE]
    if "expires" not in params or _date(params["expires"]) is None:
        return []
    return ["--expiredate", _word(params["expires"])]


def expiry_modifications(params: Params, state: UserState) -> list[Modification]:
    """What of lock and expiry is not as wanted. Raises `ActionError` where we may not see it.

    With a date given, what is locked is told by the date of a lock, since an account may have expired by its own. One
    that is locked, and not to be unlocked, keeps that date.
    """
    given = "locked" in params or "expires" in params
    if given and state.locked is None:
        raise ActionError(f"only root may see whether user {shown(state.name)} is locked: run amierules as root")
    if "expires" in params:
        return _of_both(params, state)
    wanted = params.get("locked")
    if wanted is None or same(wanted, state.locked):
        return []
    if expected(wanted) is False:
        return [Modification("locked", state.locked, wanted, ("--expiredate", "", *_unlocking(state)))]
    return [_lock(params, state)]


def planned_expiry(params: Params, before: UserState, today: date) -> Expiry:
    """Lock and expiry as they will be; `today` tells whether a date is past."""
    locked = expected(params.get("locked", _is_marked(before) if "expires" in params else before.locked))
    if isinstance(locked, Unknown):
        return Expiry(None, before.password_locked, Unknown(locked.step))
    unlocked = before.locked is True and locked is False
    password_locked = before.password_locked and not unlocked
    if "expires" in params and locked is not True:
        wanted = _date(params["expires"])
        if isinstance(wanted, Unknown):
            return Expiry(None, password_locked, wanted)
        return Expiry(wanted is not None and wanted <= today, password_locked, wanted)
    if locked is True and (before.locked is not True or ("expires" in params and not _is_marked(before))):
        return Expiry(True, password_locked, _LOCK_DAY)
    return Expiry(locked, password_locked, None if unlocked else before.expires)


def _of_both(params: Params, state: UserState) -> list[Modification]:
    marked = _is_marked(state)
    wanted = params.get("locked", marked)
    if expected(wanted) is True:
        return [] if marked else [_lock(params, state)]
    found = [Modification("locked", True, wanted, _unlocking(state))] if marked else []
    if marked or not same(_date(params["expires"]), state.expires):
        before = NEVER if state.expires is None else state.expires
        words: tuple[Word, ...] = ("--expiredate", _word(params["expires"]))
        found.append(Modification("expires", before, params["expires"], words))
    return found


def _lock(params: Params, state: UserState) -> Modification:
    return Modification("locked", state.locked, params["locked"], ("--lock", "--expiredate", LOCKED_SINCE))


def _unlocking(state: UserState) -> tuple[Word, ...]:
    """Without a password behind it there is nothing to unlock, and usermod would complain."""
    return ("--unlock",) if state.password_locked else ()


def _is_marked(state: UserState) -> bool:
    """Whether the account has the date of a lock."""
    return isinstance(state.expires, date) and state.expires <= _LOCK_DAY


def _date(given: Any) -> date | Unknown | None:
    """The wanted date, as far as it is known; None for `never`."""
    value: date | Unknown | str = expected(given)
    return None if isinstance(value, str) else value


def _word(given: Any) -> Word:
    """The date as the tools take it."""
    value = _date(given)
    if isinstance(value, Unknown):
        return value
    text = "" if value is None else value.isoformat()
    return Unknown(given.step, text) if isinstance(given, Unknown) else text
