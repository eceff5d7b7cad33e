"""Losing a packet to somebody else while working on it."""


class LostOwnership(BaseException):
    """Another worker, or a person, has taken the packet over: nothing more may be recorded for it.

    No `Exception`, so that nothing that handles a step's errors can take it for one of them.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def lost_to_another(packet_rec_id: int) -> str:
    """Why nothing is recorded about a packet that somebody else has by now."""
    return f"packet {packet_rec_id} was taken over by another worker"
