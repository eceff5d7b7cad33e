"""A body as rows of `data_tbl` (tag, subtag, seq, value) and back."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeGuard

from amierules.diagnostics import printable
from amierules.protocol.catalogue import Catalogue, catalogue
from amierules.protocol.packet import Body, BodyValue
from amierules.protocol.problem import Problem
from amierules.protocol.values import wire_text

Cells = tuple[str, str | None, int, str | None]
"""What a `Row` has, in its order."""
Element = dict[str, str]
"""One list element: its value by subtag; the value without subtag stands under the empty text."""


class Row(NamedTuple):
    """A row of `data_tbl`. `seq` pairs the subtags of one list element."""

    tag: str
    subtag: str | None
    seq: int
    value: str | None


class TooDeepError(ValueError):
    """A value nested deeper than an object in a list: it cannot become rows."""


def normalise(body: Mapping[str, Any]) -> Body:
    """The body as rows can hold it: empty values dropped, scalars as text, each tag in its kind as rows give it back.

    Rows cannot tell a list of one from its element: a list tag becomes a list, any other tag (an unknown one too) its
    element. The secondary field of science with number 0 means none and is dropped (AMIE in XSEDE, 2012). Raises
    `TooDeepError`, and `ValueError` for a value that is no text.
    """
    normal = ((tag, normal_value(tag, value)) for tag, value in body.items())
    return {tag: value for tag, value in normal if value is not None}


def normal_value(tag: str, value: object) -> BodyValue | None:
    """One tag's value as `normalise` has it; None where nothing is left. Raises what `normalise` raises."""
    if type(value) is str:
        value = [value]
    if type(value) is list and all(type(element) is str for element in value):
        texts = [text for text in value if text]
        return _of_texts(texts, tag in catalogue().lists or len(texts) > 1) if texts else None
    elements: dict[int, Element] = {}
    for _, subtag, seq, text in _value_rows(tag, _cleaned(value)):
        elements.setdefault(seq, {})[subtag or ""] = text or ""
    return (_assembled(tag, elements, catalogue()) or None) if elements else None


def _cleaned(value: object) -> BodyValue | list[str | Element] | None:
    if type(value) is str:
        return value
    if isinstance(value, Mapping):
        return _cleaned_object(value)
    if _is_list(value):
        elements = [_cleaned_element(element) for element in value]
        return [element for element in elements if element]
    return None if value is None else wire_text(value)


def _is_list(value: object) -> TypeGuard[Sequence[object]]:
    return not isinstance(value, str | bytes | bytearray) and isinstance(value, Sequence)


def _cleaned_element(value: object) -> str | Element:
    if type(value) is str:
        return value
    if isinstance(value, Mapping):
        return _cleaned_object(value)
    if _is_list(value):
        if value:
            raise TooDeepError("a list in a list")
        return ""
    return "" if value is None else wire_text(value)


def _cleaned_object(value: Mapping[Any, object]) -> Element:
    cleaned = {}
    for subtag, inner in value.items():
        if isinstance(inner, Mapping) or _is_list(inner):
            if inner:
                raise TooDeepError(f"a list or object in subtag {printable(subtag, 40)}")
        elif inner is not None and (text := wire_text(inner)):
            cleaned[str(subtag)] = text
    return cleaned


def body_to_rows(body: Body) -> list[Row]:
    """The rows of a normalised body, in its order; list elements are numbered from 0 without gaps."""
    rows: list[Row] = []
    for tag, value in body.items():
        if type(value) is str and value:
            rows.append(Row(tag, None, 0, value))
        else:
            rows += _value_rows(tag, value)
    return rows


def _value_rows(tag: str, value: BodyValue | list[str | Element] | None) -> Iterator[Row]:
    elements = value if isinstance(value, list) else [value or ""]
    for seq, element in enumerate(elements):
        for subtag, text in ({"": element} if isinstance(element, str) else element).items():
            if text:
                yield Row(tag, subtag or None, seq, text)


def rows_to_body(rows: Iterable[Cells], known: Catalogue | None = None) -> tuple[Body, list[Problem]]:
    """The body that the rows hold, and what is wrong with them.

    A tag's kind decides between value and list; an unknown tag is a list where any seq is above 0. Rows may come in any
    order and seq may have gaps; empty values count as absent, an empty subtag as none. Equal duplicates collapse,
    differing ones are a problem (the first value stays).
    """
    # A text alone, as most tags have it, stands for itself.
    by_tag: dict[str, str | dict[int, Element]] = {}
    problems: dict[tuple[str, str, int], Problem] = {}
    for tag, subtag, seq, value in rows:
        if not value:
            continue
        elements = by_tag.get(tag)
        if elements is None:
            by_tag[tag] = {seq: {subtag or "": value}} if seq or subtag else value
            continue
        if isinstance(elements, str):
            elements = by_tag[tag] = {0: {"": elements}}
        if elements.setdefault(seq, {}).setdefault(subtag or "", value) != value:
            problems.setdefault((tag, subtag or "", seq), _conflict(tag, subtag, seq))
    known = known or catalogue()
    lists = known.lists
    body: dict[str, BodyValue] = {}
    for tag, elements in by_tag.items():
        if isinstance(elements, str):
            body[tag] = [elements] if tag in lists else elements
        elif assembled := _assembled(tag, elements, known):
            body[tag] = assembled
    return body, list(problems.values())


def _conflict(tag: str, subtag: str | None, seq: int) -> Problem:
    name = tag + (f".{subtag}" if subtag else "")
    return Problem("conflicting-rows", f"{printable(name, 80)} has two different values at seq {seq}", tag)


def _assembled(tag: str, elements: dict[int, Element], known: Catalogue) -> BodyValue:
    ordered = [elements[seq] for seq in sorted(elements)] if len(elements) > 1 else [*elements.values()]
    if tag == "Sfos":
        ordered = [element for element in ordered if element.get("Number") != "0"]
    is_list = max(elements) > 0 if known.tag(tag) is None else tag in known.lists or len(ordered) > 1
    if all(len(element) == 1 and "" in element for element in ordered):
        return _of_texts([element[""] for element in ordered], is_list)
    return ordered if is_list else ordered[0]


def _of_texts(texts: list[str], is_list: bool) -> BodyValue:
    return texts if is_list else texts[0]
