"""Sentences that several commands say."""

from amierules.diagnostics import printable


def settled_by(packet: object, path: str) -> str:
    """The command that settles a step in doubt, as one types it."""
    return f'`amierules resolve {packet} "{printable(path)}" --done|--redo`'
