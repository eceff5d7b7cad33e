"""Why something is not in the ledger."""

from typing import NamedTuple


class Refusal(Exception):
    """A row that cannot be taken. `code` is one of `CODES`."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


CODES = {
    "unparsable": "a row that cannot be read",
    "bad-time": "a moment that cannot be read, or is not there",
    "bad-number": "a number that cannot be read, or is negative",
    "order": "it ends before it starts, or starts before it was submitted",
    "clock": "it ends in the future",
    "elapsed": "it ran longer than from its start to its end",
    "tres": "its TRES cannot be read",
    "no-project": "the registry has no project of its account",
    "no-account": "the registry has no account of its user on the project",
    "no-resource": "nothing says on which resource it ran",
    "rule": "a rule has no value for it",
    "no-rule": "no rule is for it",
    "charge": "its charge is no amount that can be reported",
}
"""Each kind of problem in a few words."""


class Problem(NamedTuple):
    """A row that is not in the ledger, with its reason; `submitted` is None where nobody can tell."""

    place: str
    code: str
    reason: str
    line: str
    cluster: str = ""
    job_id: str = ""
    submitted: int | None = None
    account: str = ""
