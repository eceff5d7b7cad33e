"""JSON text as plain data, with everything that JSON leaves open turned into a finding."""

import json
from decimal import Decimal
from typing import Any, Never

from amierules.diagnostics import Finding, Place, printable

_MAX_PLAIN_DIGITS = 300
"""Longer integers stay text: Python refuses to convert those above 4300 digits."""


class JsonNumber(str):
    """A number that Python would change (1.10, 1e400, 5000 digits), as the text that stood in the file."""

    __slots__ = ()


class JsonObject(dict[str, Any]):
    """A JSON object that remembers the keys that it had twice with different values."""

    conflicts: tuple[str, ...] = ()


def parse_json(text: str | bytes, file: str) -> tuple[Any, Finding | None]:
    """The data in `text` (JsonObject, list, str, int, JsonNumber, bool, None), or the finding that says why not."""
    try:
        text = text if isinstance(text, str) else text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return None, Finding("not-utf-8", "the file is not text in UTF-8", Place(file, line))
    try:
        data = json.loads(
            text.removeprefix("\ufeff"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_refuse_constant,
        )
    except json.JSONDecodeError as error:
        return None, Finding("malformed-json", _explained(error, text), Place(file, error.lineno, error.colno))
    except RecursionError:
        return None, Finding("too-deep", "the JSON is nested too deeply to be packets", Place(file))
    except ValueError as error:
        return None, Finding("malformed-json", str(error), Place(file))
    return data, None


def _explained(error: json.JSONDecodeError, text: str) -> str:
    if not text.strip():
        return "the file is empty"
    return f"this is not JSON: {error.msg[0].lower()}{error.msg[1:]}"


def _object(pairs: list[tuple[str, Any]]) -> JsonObject:
    result = JsonObject(pairs)
    if len(result) < len(pairs):
        result.conflicts = tuple({key: None for key, value in pairs if value != result[key]})
    return result


def _integer(text: str) -> int | JsonNumber:
    return int(text) if len(text) <= _MAX_PLAIN_DIGITS else JsonNumber(text)


def _number(text: str) -> JsonNumber:
    if "e" not in text.lower() or len(text) > _MAX_PLAIN_DIGITS:
        return JsonNumber(text)
    exponent = text.lower().rpartition("e")[2]
    small = len(exponent.lstrip("+-0")) <= 2
    return JsonNumber(format(Decimal(text), "f") if small else text)


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"this is not JSON: {printable(name)} is no value of JSON")


def plain_json(data: object) -> object:
    """The data with dicts, and numbers as Python has them where it can; else as text.

    Raises `RecursionError` for data nested more deeply than Python can walk.
    """
    if isinstance(data, dict):
        return {key: plain_json(value) for key, value in data.items()}
    if isinstance(data, list):
        return [plain_json(value) for value in data]
    if isinstance(data, JsonNumber):
        return _plain_number(data)
    return data


def _plain_number(text: JsonNumber) -> float | str:
    number = float(text) if len(text) <= _MAX_PLAIN_DIGITS else float("inf")
    return number if abs(number) != float("inf") else str(text)
