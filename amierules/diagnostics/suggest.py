"""Did you mean: the known word that a misspelt one most likely stands for."""

from collections.abc import Iterable
from difflib import SequenceMatcher

from amierules.diagnostics.text import printable

_LONGEST = 64
_CLOSE_ENOUGH = 0.66


def did_you_mean(word: str, choices: Iterable[str]) -> str | None:
    """The choice that `word` most likely stands for; None where none is close.

    Case and the difference between `-`, `_` and space do not count.
    """
    if not word or len(word) > _LONGEST:
        return None
    wanted = _folded(word)
    best: tuple[float, float, str] | None = None
    for choice in sorted(set(choices)):
        if choice == word:
            continue
        closeness = _closeness(wanted, _folded(choice))
        if closeness >= _CLOSE_ENOUGH and (best is None or closeness >= best[0]):
            # Of two that differ in case alone, the one written like the word.
            as_written = SequenceMatcher(None, word, choice, autojunk=False).ratio()
            if best is None or (closeness, as_written) > best[:2]:
                best = closeness, as_written, choice
    return best[2] if best else None


def one_slip(word: str, choices: Iterable[str]) -> str | None:
    """The choice from which one slip of the hand makes `word`: a letter too many, too few, another, or two swapped.

    None where there is none, and where `word` is a choice itself. Case does not count; a digit is no slip.
    """
    wanted = word.casefold()
    known = {choice.casefold(): choice for choice in sorted(choices)}
    if wanted in known or len(word) > _LONGEST:
        return None
    return next((choice for folded, choice in known.items() if _is_one_slip(wanted, folded)), None)


def _is_one_slip(one: str, other: str) -> bool:
    if abs(len(one) - len(other)) > 1:
        return False
    begin = _shared(one, other)
    end = _shared(one[begin:][::-1], other[begin:][::-1])
    left, right = one[begin : len(one) - end], other[begin : len(other) - end]
    swapped = len(left) == len(right) == 2 and left == right[::-1]
    return (swapped or (len(left) <= 1 and len(right) <= 1)) and not any(map(str.isdigit, left + right))


def _shared(one: str, other: str) -> int:
    """With how many characters both begin."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def hint_for(word: str, choices: Iterable[str]) -> str:
    """The hint `did you mean 'X'?`; where no choice is close, the choices themselves if they are few."""
    known = sorted(set(choices))
    meant = did_you_mean(word, known)
    if meant is not None:
        return f"did you mean '{printable(meant, 60)}'?"
    listed = ", ".join(printable(choice, 60) for choice in known)
    return f"known here: {listed}" if known and len(listed) <= 160 else ""


def _folded(word: str) -> str:
    return word.casefold().replace("-", "_").replace(" ", "_")


def _closeness(wanted: str, choice: str) -> float:
    matcher = SequenceMatcher(None, wanted, choice, autojunk=False)
    return matcher.ratio() if matcher.real_quick_ratio() >= _CLOSE_ENOUGH else 0.0
