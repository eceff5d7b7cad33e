"""What the statuses of packets mean, for people."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Status:
    """A status: what it says of a packet, and what may be done."""

    meaning: str
    remedy: str


STATUSES: Mapping[str, Status] = {
    "ready": Status("The packet waits for the next run.", "`amierules run` processes it; `dry-run` shows how."),
    "waiting": Status(
        "An earlier packet of its transaction, project or person must be done first.",
        "`amierules show ID` names that packet; it goes on by itself once that one is done.",
    ),
    "deferred": Status(
        "A rule put it off; it is looked at again later, and held once it has waited too long.",
        "Nothing has to be done; `amierules retry ID` looks at it now.",
    ),
    "retrying": Status(
        "Something failed that may work again; it is tried again, ever less often.",
        "Mend what the reason names; `amierules retry ID` tries it now.",
    ),
    "running": Status("A run is at work on it, or was when it ended; then the next run recovers it.", "Wait."),
    "held": Status(
        "A rule or an assert asks a person, or it waited too long.",
        "`amierules show ID`, then approve, retry, fail or complete it.",
    ),
    "in_doubt": Status(
        "A step was begun, and nobody knows whether it was done.",
        "Look at the system itself, then `amierules resolve ID STEP --done` or `--redo`.",
    ),
    "parked": Status(
        "It cannot be processed: the packet or a rule is wrong, or a step failed for good.",
        "`amierules show ID` says why; correct it, then `amierules retry ID`, or fail or complete it.",
    ),
    "done": Status("It was answered, or needed no answer.", "Nothing has to be done."),
    "ignored": Status("A rule leaves it alone for good.", "Nothing has to be done."),
    "failed": Status("It was answered with StatusCode Failure.", "Nothing has to be done."),
}
