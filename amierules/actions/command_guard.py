"""What the guard of a command says: `unless`, with what its output must hold."""

import re
from collections.abc import Mapping
from typing import Any

from amierules.actions.base import ActionError
from amierules.ports import Completed, NodeCompleted


def says_done(guard: Mapping[str, Any], completed: Completed | NodeCompleted, program: str) -> bool:
    """Whether a guard that ended by itself says that the work is done. Raises `ActionError` where it cannot be told."""
    if completed.rc != 0:
        return False
    if "contains" not in guard:
        return True
    found = contains_words(completed.stdout, guard["contains"])
    if not found and completed.truncated:
        raise ActionError(f"{program} printed more than can be looked through")
    return found


def contains_words(output: str, wanted: str) -> bool:
    """Whether `output` holds `wanted` as whole words.

    Letters, digits, `_` and `-` belong to a word, and so do `.`, `@` and `+` between them: `p-1` is in `acct|p-1|x` and
    in `for p-1.`, but not in `p-12`, `xp-1`, `p-1.2` or `p-1@site`. Any white space in `wanted` stands for any other.
    """
    text = r"\s+".join(re.escape(part) for part in wanted.split())
    return bool(text) and re.search(rf"(?<![\w-])(?<!\w[.@+]){text}(?![\w-]|[.@+]\w)", output) is not None
