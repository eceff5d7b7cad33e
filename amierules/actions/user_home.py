"""The home folder of a Unix account."""

import os

from amierules.actions.accounts_files import UserState
from amierules.actions.base import Params, Surroundings, expected
from amierules.actions.words import shown
from amierules.templating import Unknown


def missing_home(params: Params, state: UserState, prefix: str | None, surroundings: Surroundings) -> str:
    """The home that a rule asks for and that is not there; '' where it is, where nobody is to use the account, and
    where that cannot be seen."""
    home = expected(state.home)
    wanted = params.get("create_home") is True and expected(params.get("locked")) is not True
    if not wanted or isinstance(home, Unknown):
        return ""
    try:
        os.stat(f"{surroundings.world.host.path(prefix or '')}{home}/.")
    except (FileNotFoundError, NotADirectoryError):
        return str(home)
    except OSError:
        return ""
    return ""


def why_held(name: object, home: str) -> str:
    """What a person is told of an account without its home: useradd copies no skeleton to an account that is there."""
    return (
        f"user {shown(name)} is there, and its home {shown(home)} is not: useradd was perhaps ended before it came to"
        " that, or the home is elsewhere; make it, then `retry`"
    )
