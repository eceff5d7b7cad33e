"""Usage over time as bars of text."""

from collections.abc import Mapping
from decimal import Decimal

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bars(values: Mapping[str, Decimal], width: int, shown: Mapping[str, str], *, plain: bool = False) -> list[str]:
    """A line for each value: its name, a bar, and what `shown` has for it; at most `width` columns.

    `plain` uses no characters beyond ASCII.
    """
    if not values:
        return []
    names = max(len(name) for name in values)
    numbers = max(len(text) for text in shown.values())
    room = max(width - names - numbers - 4, 10)
    most = max(values.values())
    lines = []
    for name, value in values.items():
        eighths = int(value / most * room * 8) if most > 0 else 0
        full, rest = divmod(max(eighths, 1) if value > 0 else 0, 8)
        bar = "#" * (full or (1 if value > 0 else 0)) if plain else "█" * full + _EIGHTHS[rest].strip()
        lines.append(f"{name:<{names}}  {bar:<{room}}  {shown[name]:>{numbers}}")
    return lines
