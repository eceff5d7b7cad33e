"""Opening the source that a person or the configuration names."""

import sys
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from amierules.diagnostics import Finding, Invalid, NotAllowed, Place, Unavailable, printable
from amierules.ports.streams import stream
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.usage_section import UsageCommand, UsageSection
from amierules.usage.fields import APART, RAW, STORAGE
from amierules.usage.site import UsageSite
from amierules.usage.sources import SACCT_ENVIRONMENT, Piece, Rows, csv_rows, delimited, json_rows, sacct_words
from amierules.usage.windows import shown

_CHUNK = 1 << 18
_JSON_ENDINGS = (".jsonl", ".ndjson", ".json")
_JOB_NAMES = [raw.name for raw in RAW]
_JOB_REQUIRED = [raw.name for raw in RAW if raw.required]
_STORAGE_NAMES = list(STORAGE)
_STORAGE_REQUIRED = [name for name, (_, required) in STORAGE.items() if required]


def sacct_rows(site: UsageSite, window: tuple[int, int], clusters: Sequence[str], groups: Sequence[str]) -> Rows:
    """The jobs of a window (seconds since 1970) from Slurm; `groups` are the accounts of registered projects.

    Nothing is started before the first piece is asked for. Raises `NotAllowed` where no cluster is known.
    """
    section = site.configuration.usage
    chosen = known_clusters(section, clusters)
    accounts = None if section.all_accounts else groups
    calls, delimiter = sacct_words(section.sacct, window, chosen, accounts, section.fields)
    environment = sacct_environment(site.configuration)
    width = len(RAW) + len(section.fields)

    def pieces() -> Iterator[Piece]:
        for words in calls:
            yield from delimited(stream(words, env=environment, patience=section.patience), delimiter, width)

    notes = [] if calls else ["the registry has no project, so there is no account to ask for"]
    return Rows(source_name(chosen), pieces(), section.fields, "record", notes)


def sacct_environment(configuration: Configuration) -> dict[str, str]:
    """The variables with which sacct is run."""
    slurm = configuration.slurm
    return {**SACCT_ENVIRONMENT, **({"SLURM_CONF": str(slurm["conf"])} if "conf" in slurm else {})}


def known_clusters(section: UsageSection, named: Sequence[str]) -> tuple[str, ...]:
    """The clusters that are asked for: those named, else those of the configuration. Raises `NotAllowed`."""
    chosen = tuple(named or section.clusters)
    if not chosen:
        hint = "give each resource its `cluster` in the configuration, or name clusters with --cluster"
        raise NotAllowed(Finding("no-cluster", "nothing says which clusters to ask for", hint=hint))
    return chosen


def source_name(clusters: Sequence[str]) -> str:
    """What a collection from these clusters is called: the next one goes on where it ended."""
    return f"sacct {','.join(sorted(clusters))}"


def file_rows(path: Path, section: UsageSection, *, storage: bool, format: str | None) -> Rows:
    """The rows of a CSV or JSON-lines file; `-` is standard input. Raises `Invalid`."""
    chunks = _bytes_of(path)
    chosen = format or ("jsonl" if path.suffix.lower() in _JSON_ENDINGS else "csv")
    columns: Mapping[str, str] = {} if storage else section.columns
    return _rows(chunks, chosen, columns, str(path), storage, () if storage else section.fields)


def command_rows(command: UsageCommand, window: tuple[int, int], section: UsageSection, *, storage: bool) -> Rows:
    """The rows that a command writes about a window. Raises `Invalid` and `Unavailable`."""
    start, end = map(shown, window)
    words = [word.replace("{start}", start).replace("{end}", end) for word in command.run]
    chunks = stream(words, patience=command.patience)
    further = () if storage else section.fields
    return _rows(chunks, command.format, command.columns, command.run[0], storage, further)


def _rows(
    chunks: Generator[bytes],
    format: str,
    columns: Mapping[str, str],
    where: str,
    storage: bool,
    further: tuple[str, ...],
) -> Rows:
    names = _STORAGE_NAMES if storage else _JOB_NAMES
    named = dict(columns)
    if unknown := next((name for name in named if name not in names), None):
        raise Invalid(Finding("no-column", f"'{printable(unknown, 60)}' is none of our fields: {', '.join(names)}"))
    if format == "jsonl":
        apart = () if storage else tuple(name for name in APART if name not in further)
        return json_rows(chunks, named, names, (*further, *apart), where)
    try:
        return csv_rows(chunks, named, names, _STORAGE_REQUIRED if storage else _JOB_REQUIRED, where)
    except Invalid:
        chunks.close()
        raise


def _bytes_of(path: Path) -> Generator[bytes]:
    try:
        file = sys.stdin.buffer if str(path) == "-" else path.open("rb")
    except OSError as error:
        message = f"cannot be read: {error.strerror or error}"
        raise Invalid(Finding("cannot-read", message, Place(str(path)))) from error
    return _read(file, path)


def _read(file: BinaryIO, path: Path) -> Generator[bytes]:
    with file:
        while True:
            try:
                chunk = file.read(_CHUNK)
            except OSError as error:
                message = f"{printable(path)} cannot be read: {error.strerror or error}"
                raise Unavailable(Finding("usage-source-failed", message)) from error
            if not chunk:
                return
            yield chunk
