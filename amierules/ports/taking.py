"""Whether the other side took what was sent to it: what may be sent again depends on that."""


class NotTaken(Exception):
    """It was provably not taken, and may be later: it can be sent again."""


class Refused(Exception):
    """It was provably not taken, and will not be: it is not sent again."""


class Unsure(Exception):
    """Nobody knows whether it was taken: it must not be sent again."""
