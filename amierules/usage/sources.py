"""Where rows come from: Slurm's sacct, a file, a command's output; rows are texts in the order of `RAW`."""

import csv
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from amierules.diagnostics import Finding, Invalid, printable
from amierules.diagnostics.suggest import did_you_mean
from amierules.usage.fields import RAW

Row = Sequence[str]
_LONGEST = 1_000_000
"""Characters of a line."""
_ARGUMENT = 100_000
"""Characters of one argument of a program; Linux takes 131,072."""


@dataclass(frozen=True)
class Bad:
    """A line that is no row."""

    reason: str
    line: str


Piece = tuple[Sequence[int], list[Row | Bad]]
"""The numbers of lines (or records), and a row or what is wrong for each."""


@dataclass
class Rows:
    """Rows in pieces."""

    name: str
    """What messages call the source."""
    pieces: Iterator[Piece]
    further: tuple[str, ...] = ()
    """What the fields behind those that are always there are called; known once the first piece is read."""
    unit: str = "line"
    notes: list[str] = field(default_factory=list)


_PIECE = 5000


def sacct_words(
    program: str,
    window: tuple[int, int],
    clusters: Sequence[str],
    accounts: Sequence[str] | None,
    further: Sequence[str],
) -> tuple[list[list[str]], str]:
    """The calls of sacct that ask for a window's jobs (seconds since 1970), and the delimiter of their fields.

    A job's name may hold any character. No name holds the delimiter, which is new each time, and each record ends with
    one: so a name cannot pretend to be a field or a record. Several calls where the accounts are too many for one.
    """
    delimiter = f"<{secrets.token_hex(12)}>"
    start, end = (datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%dT%H:%M:%S") for moment in window)
    words = [program, "--noheader", "--parsable", f"--delimiter={delimiter}", "--allusers", "--allocations"]
    words += ["--duplicates", f"--starttime={start}", f"--endtime={end}", f"--clusters={','.join(clusters)}"]
    words += ["--format=" + ",".join([*(raw.sacct for raw in RAW), *further])]
    if accounts is None:
        return [words], delimiter
    return [[*words, f"--accounts={','.join(some)}"] for some in _parts(accounts)], delimiter


SACCT_ENVIRONMENT = {"TZ": "UTC", "SLURM_TIME_FORMAT": "%s"}
"""Moments in seconds since 1970: no clock that is put back makes one mean two."""


def _parts(accounts: Sequence[str]) -> Iterator[list[str]]:
    part: list[str] = []
    length = 0
    for account in accounts:
        if part and length + len(account) + 1 > _ARGUMENT:
            yield part
            part, length = [], 0
        part.append(account)
        length += len(account) + 1
    if part:
        yield part


def delimited(chunks: Iterable[bytes], delimiter: str, width: int) -> Iterator[Piece]:
    """Rows of `width` fields of which each ends with the delimiter, and each row with a line break."""
    mark, left, number = delimiter.encode(), b"", 1
    fields: list[str] = []
    for chunk in chunks:
        data = left + chunk
        end = data.rfind(mark)
        if end < 0:
            left = data
            continue
        left = data[end + len(mark) :]
        # Names may hold bytes that are no UTF-8.
        fields += data[:end].decode("utf-8", "backslashreplace").split(delimiter)
        rows = [fields[at : at + width] for at in range(0, len(fields) - width + 1, width)]
        del fields[: len(rows) * width]
        for row in rows:
            row[0] = row[0].lstrip("\n")
        if rows:
            yield range(number, number + len(rows)), [*rows]
            number += len(rows)
    if fields or left.strip():
        yield [number], [Bad("the output ends inside a record", "")]


def csv_rows(
    chunks: Iterable[bytes], columns: Mapping[str, str], names: Sequence[str], required: Sequence[str], where: str
) -> Rows:
    """Rows of a CSV text with a head; `columns` says what our fields are called there.

    Raises `Invalid` where the head lacks a field.
    """
    lines = _lines(chunks)
    first = next(lines, "")
    dialect = next((sign for sign in ("|", "\t", ";") if sign in first and "," not in first), ",")
    # In what sacct writes (`-P`) quotes mean nothing.
    plain = dialect == "|"
    try:
        head = next(csv.reader([first], delimiter=dialect), [])
    except csv.Error as error:
        message = f"{printable(where)} is no CSV: its first line cannot be read"
        raise Invalid(Finding("cannot-read", message, hint="a file of another format: --as jsonl")) from error
    places, further = _head([one.strip().lstrip("\ufeff") for one in head], columns, names, required, where)
    reader = csv.reader(lines, delimiter=dialect, quoting=csv.QUOTE_NONE if plain else csv.QUOTE_MINIMAL)
    return Rows(where, _csv_pieces(reader, places, len(head)), further)


def _csv_pieces(reader: Any, places: Sequence[int | None], width: int) -> Iterator[Piece]:
    piece: list[Row | Bad] = []
    numbers: list[int] = []
    ordered = _in_order(places)
    while True:
        number = reader.line_num + 2
        try:
            found = next(reader, None)
        except csv.Error as error:
            piece.append(Bad(printable(error), ""))
            numbers.append(number)
            continue
        if found is None:
            break
        if not found:
            continue
        numbers.append(number)
        if len(found) != width:
            piece.append(Bad(f"it has {len(found)} columns, and the head {width}", ",".join(found)))
        else:
            piece.append(ordered(found))
        if len(piece) >= _PIECE:
            yield numbers, piece
            piece, numbers = [], []
    if piece:
        yield numbers, piece


def _in_order(places: Sequence[int | None]) -> Callable[[list[str]], Row]:
    """Puts what a line has into our order; where nothing is there, nothing."""
    there = [place for place in places if place is not None]
    if len(there) == len(places) > 1:
        return itemgetter(*there)
    return lambda found: [found[place] if place is not None else "" for place in places]


def _head(
    head: Sequence[str], columns: Mapping[str, str], names: Sequence[str], required: Sequence[str], where: str
) -> tuple[list[int | None], tuple[str, ...]]:
    """Where each of our fields stands, and those of the further columns behind them."""
    found: list[int | None] = [_place_of(name, head, columns) for name in names]
    missing = [name for name, place in zip(names, found, strict=True) if place is None and name in required]
    if missing:
        wanted = columns.get(missing[0], missing[0])
        free = [name for place, name in enumerate(head) if place not in found]
        meant = did_you_mean(wanted, free)
        needed = f"the first line must name {', '.join(required)}; `usage.columns` says where they are called otherwise"
        hint = f"did you mean '{meant}'? {needed}" if meant else needed
        raise Invalid(Finding("no-column", f"{printable(where)} has no column '{printable(wanted, 60)}'", hint=hint))
    taken = {place for place in found if place is not None}
    others = [place for place, name in enumerate(head) if place not in taken and name]
    return [*found, *others], tuple(head[place] for place in others)


_SACCT_NAMES = {raw.name: raw.sacct for raw in RAW}


def _place_of(name: str, head: Sequence[str], columns: Mapping[str, str]) -> int | None:
    candidates = (columns[name],) if name in columns else (name, _SACCT_NAMES.get(name, name))
    if name == "login" and name not in columns:
        candidates = (*candidates, "user")
    lowered = [one.lower() for one in head]
    return next((lowered.index(one.lower()) for one in candidates if one.lower() in lowered), None)


def json_rows(
    chunks: Iterable[bytes], columns: Mapping[str, str], names: Sequence[str], further: Sequence[str], where: str
) -> Rows:
    """Rows of JSON lines, each an object of our fields and those that are called further ones."""
    keys = [*(columns.get(name, name) for name in names), *further]
    return Rows(where, _json_pieces(_lines(chunks), keys), tuple(further))


def _json_pieces(lines: Iterator[str], keys: Sequence[str]) -> Iterator[Piece]:
    piece: list[Row | Bad] = []
    numbers: list[int] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            numbers.append(number)
            piece.append(_object(line, keys))
        if len(piece) >= _PIECE:
            yield numbers, piece
            piece, numbers = [], []
    if piece:
        yield numbers, piece


def _object(line: str, keys: Sequence[str]) -> Row | Bad:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Bad(printable(f"no JSON: {error}", 200), line)
    if not isinstance(data, dict):
        return Bad("no JSON object", line)
    if "user" in data and "login" in keys:
        data.setdefault("login", data["user"])
    values = (data.get(key) for key in keys)
    texts = ("" if value is None else value if isinstance(value, str) else json.dumps(value) for value in values)
    # JSON can write halves of characters, which no database takes.
    return [text.encode("utf-8", "backslashreplace").decode("utf-8") for text in texts]


def _lines(chunks: Iterable[bytes]) -> Iterator[str]:
    left = b""
    for chunk in chunks:
        parts = (left + chunk).split(b"\n")
        left = parts.pop()
        for part in parts:
            yield part.decode("utf-8", "backslashreplace") + "\n"
        if len(left) > _LONGEST:
            yield left.decode("utf-8", "backslashreplace") + "\n"
            left = b""
    if left:
        yield left.decode("utf-8", "backslashreplace")
