"""Durations as rules write them: an integer and one of s, m, h, d."""

import re

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def duration_seconds(text: str) -> int:
    """The seconds of a duration such as `90s`, `10m`, `12h`, `14d`. Raises `ValueError` for anything else."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text)
    if match is None:
        raise ValueError(f"{text!r} is no duration")
    return int(match[1]) * _SECONDS[match[2]]
