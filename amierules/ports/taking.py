"""Whether the other side took what was sent to it: what may be sent again depends on that."""

from typing import Self


def server_name(host: str, port: int) -> str:
    """What `SendingFault.away` calls a server."""
    return f"{host}:{port}"


class SendingFault(Exception):
    """Something that was sent was not answered as it should be; which of the kinds below says what is known of it."""

    def __init__(
        self, reason: str, *, status: int | None = None, retry_after: float | None = None, away: str | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        """The HTTP status of the answer, where there was one."""
        self.retry_after = retry_after
        """After how many seconds the other side wants to be asked again, where it says so."""
        self.away = away
        """The server (`server_name`) that let nobody in, where that is why: nothing else gets through to it either."""

    def reworded(self, reason: str) -> Self:
        """The same fault, said in other words."""
        return type(self)(reason, status=self.status, retry_after=self.retry_after, away=self.away)


class NotTaken(SendingFault):
    """It was provably not taken, and may be later: it can be sent again."""


class Denied(NotTaken):
    """The other side does not know us: nothing is taken before a person has seen to the credentials."""


class Refused(SendingFault):
    """It was provably not taken, and will not be: it is not sent again."""


class Unsure(SendingFault):
    """Nobody knows whether it was taken: it must not be sent again."""
