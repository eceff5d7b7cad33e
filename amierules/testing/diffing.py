"""A difference as lines: what was expected and what came, written as the test file would have it."""

from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from typing import Any

from amierules.rulebook.yaml_writing import block
from amierules.testing.comparing import Difference
from amierules.testing.failure import Failure

_AROUND = 2
"""Lines that are shown before and after those that differ."""
_LEFT_OUT = "..."


def difference_lines(difference: Difference) -> Iterator[tuple[str, str]]:
    """The lines, each after its sign: `-` was expected, `+` came, a blank both."""
    wanted, came = _lines(difference.wanted), _lines(in_order(difference.came, difference.wanted))
    for tag, at, end, at_came, end_came in SequenceMatcher(None, wanted, came, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from ((" ", line) for line in _shortened(wanted[at:end], first=at == 0, last=end == len(wanted)))
            continue
        yield from (("-", line) for line in wanted[at:end])
        yield from (("+", line) for line in came[at_came:end_came])


def failure_text(failure: Failure) -> Iterator[str]:
    """What is wrong, as lines without colours."""
    place = failure.place
    where = f"{place.file}:{place.line}:{place.column}: " if place is not None else ""
    yield f"{where}{failure.message}" + (": expected (-), came (+)" if failure.difference is not None else "")
    if failure.difference is not None:
        yield from (f"  {sign} {line}" for sign, line in difference_lines(failure.difference))
    elif failure.hint:
        yield f"  = hint: {failure.hint}"


def in_order(came: Any, wanted: Any) -> Any:
    """What came, its keys in the order of those that were expected."""
    if isinstance(came, Mapping) and isinstance(wanted, Mapping):
        names = [*(name for name in wanted if name in came), *(name for name in came if name not in wanted)]
        return {name: in_order(came[name], wanted.get(name)) for name in names}
    if isinstance(came, list) and isinstance(wanted, list):
        return [in_order(one, wanted[at] if at < len(wanted) else None) for at, one in enumerate(came)]
    return came


def _lines(value: Any) -> list[str]:
    return [] if value in ([], {}) else block(value)


def _shortened(lines: list[str], *, first: bool, last: bool) -> list[str]:
    before, after = (0 if first else _AROUND), (0 if last else _AROUND)
    if len(lines) <= before + after + 1:
        return lines
    return [*lines[:before], _LEFT_OUT, *(lines[-after:] if after else [])]
