"""How long tags, subtags and values may be."""

from amierules.diagnostics import printable

MAX_TAG = 32
MAX_SUBTAG = 128
"""Characters that `data_tbl` has room for (reference database DDL)."""
MAX_VALUE = 1_000_000
"""Bytes in UTF-8."""


def oversize(tag: str, subtag: str | None, value: str | None) -> tuple[str, str] | None:
    """The code of what is too long, and the message that continues `has ...`; None where everything fits."""
    if len(tag) > MAX_TAG:
        return "tag-too-long", f"a tag of {len(tag)} characters ({printable(tag, 40)}); at most {MAX_TAG} are possible"
    if subtag and len(subtag) > MAX_SUBTAG:
        shown = f"{printable(tag, 40)}.{printable(subtag, 40)}"
        return "subtag-too-long", f"a subtag of {len(subtag)} characters ({shown}); at most {MAX_SUBTAG} are possible"
    size = len((value or "").encode("utf-8", "surrogatepass"))
    if size > MAX_VALUE:
        return "value-too-large", f"a value of {size} bytes in {printable(tag, 40)}; at most {MAX_VALUE} are possible"
    return None
