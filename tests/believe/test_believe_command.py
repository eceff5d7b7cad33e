"""What a dry run prints is what a run then has the site's own command do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from amierules.database.connection import Database
from tests.support.believing import HISTORY, believe, histories
from tests.support.outside import Change, State
from tests.support.sites import ALPHA, BETA, SETTINGS, make_site
from tests.support.traffic import Traffic

COMMAND = Path(__file__).parents[1] / "support" / "file-accounts"


@dataclass(frozen=True)
class SiteAccounts:
    """The lines in which the site's command keeps what is so."""

    words: tuple[str, ...]
    """The command; its last word is the file."""
    kinds = frozenset({"command"})

    def look(self) -> State:
        """All lines."""
        return dict.fromkeys(Path(self.words[-1]).read_text(encoding="utf-8").splitlines(), True)

    def foretell(self, state: State, change: Change) -> State:
        """What one call would make so, or no longer so: each changes something."""
        assert tuple(change["argv"][: len(self.words)]) == self.words
        action, subject, *rest = change["argv"][len(self.words) :]
        gone, new = _MEANINGS[action](subject, *rest)
        gone |= {line for line in state if action == "modify" and line.startswith(f"name {subject} ")}
        assert gone <= state.keys(), change
        assert not new & (state.keys() - gone), change
        return {**{line: True for line in state if line not in gone}, **dict.fromkeys(new, True)}


def _name(given: str) -> str:
    return given.removeprefix("--name=").replace("\n", " ")


_Lines = tuple[set[str], set[str]]
_MEANINGS: Mapping[str, Callable[..., _Lines]] = {
    "add-group": lambda group, gid: (set(), {f"group {group} {gid}"}),
    "add": lambda login, uid, group, name: (
        set(),
        {f"uid {login} {uid}", f"first {login} {group}", f"name {login} {_name(name)}"},
    ),
    "modify": lambda login, name: (set(), {f"name {login} {_name(name)}"}),
    "open": lambda login: (set(), {f"open {login}"}),
    "lock": lambda login: ({f"open {login}"}, set()),
    "join": lambda login, group: (set(), {f"in {login} {group}"}),
    "leave": lambda login, group: ({f"in {login} {group}"}, set()),
}


@pytest.mark.parametrize("seed", histories(200, 3000))
def test_the_changes_that_were_printed_are_made(tmp_path: Path, seed: int) -> None:
    file = tmp_path / "accounts"
    file.write_text("group theirs 1\n", encoding="utf-8")
    accounts = SiteAccounts(("sh", str(COMMAND), str(file)))
    settings = {
        **SETTINGS,
        "accounts": "command",
        "accounts_command": [*accounts.words],
        "merge": ("alias", "merge")[seed % 2],
        "blank_absent": seed % 3 == 0,
    }
    site = make_site(Database.open("sqlite://", create=True), tmp_path / "site", settings=settings)
    tally = believe(site, (accounts,), Traffic(seed, (ALPHA, ALPHA, BETA)))
    assert tally.packets == HISTORY
    assert tally.changes > 10, tally
    assert tally.ends["done"] > 10, tally
