"""`show --as-test --append`: a test is written into a file that has others, which stay as they are."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from amierules.diagnostics import Finding, Invalid, printable
from amierules.engine.site import Site
from amierules.rulebook.nodes import ListNode, MappingNode
from amierules.rulebook.yaml_writing import block
from amierules.testing.model import CaseFile
from amierules.testing.reading import read_case_file
from amierules.testing.replay.as_test import Written, written_test
from amierules.testing.running import FileRun
from amierules.testing.stage import Stages


def append(site: Site, stages: Stages, packet_rec_id: int, path: Path) -> str:
    """Adds a test of what really happened to a packet to a test file; returns what it is called there.

    What the file has already stays byte for byte. Raises as `written_test` does, and `Invalid` where the file cannot be
    used or written, or what all its tests are given changes what comes of the packet.
    """
    file = _read(path)
    written = written_test(site, stages, packet_rec_id)
    name = _new_name(file, str(written.test["name"]))
    text = path.read_bytes().decode("utf-8")
    place = _Place.of(file, text)
    new = place.with_lines(text, _lines(written, name, place.indent))
    beside = path.with_name(f".{path.name}.new")
    try:
        beside.write_bytes(new.encode("utf-8"))
        _check(_read(beside), file, written, name, site, stages)
        path.write_bytes(new.encode("utf-8"))
    except OSError as error:
        message = f"{printable(path)} cannot be written: {error.strerror or error}"
        raise Invalid(Finding("cannot-write", message)) from error
    finally:
        beside.unlink(missing_ok=True)
    return name


def _read(path: Path) -> CaseFile:
    file, findings = read_case_file(path)
    if file is None:
        raise Invalid(findings)
    return file


def _new_name(file: CaseFile, name: str) -> str:
    known = {case.name for case in file.all}
    others = (f"{name} ({number})" for number in count(2))
    return name if name not in known else next(other for other in others if other not in known)


def _lines(written: Written, name: str, indent: int) -> Iterator[str]:
    yield from (f"{' ' * indent}{comment}" for comment in written.comments)
    test: dict[str, Any] = {**written.test, "name": name}
    yield from block([test], indent)


@dataclass(frozen=True)
class _Place:
    """Where another test goes."""

    line: int
    """So many lines of the file stand before it."""
    indent: int
    """The column of the dashes."""
    is_first: bool
    """Whether the file has no `tests` yet."""

    @classmethod
    def of(cls, file: CaseFile, text: str) -> "_Place":
        root, lines = file.root, text.split("\n")
        assert isinstance(root, MappingNode)  # noqa: S101 - it has been read
        tests = root.get("tests")
        last = len(lines) - 1 if not lines[-1] else len(lines)
        if not isinstance(tests, ListNode) or not tests.items:
            return cls(last, 2, is_first=True)
        begin = root.key_place("tests").line
        after = min((key.place.line for key in root.keys.values() if key.place.line > begin), default=last + 1) - 1
        while after < last and (not lines[after - 1].strip() or lines[after - 1].startswith("#")):
            # A comment at the margin tells of what follows it.
            after -= 1
        first = lines[tests.items[0].place.line - 1]
        return cls(after, len(first) - len(first.lstrip()), is_first=False)

    def with_lines(self, text: str, new: Iterator[str]) -> str:
        """The file's text with these lines in that place."""
        end = "\r\n" if "\r\n" in text else "\n"
        before = text.split("\n")[: self.line]
        kept = "".join(f"{line}\n" for line in before)
        kept = kept if text.startswith(kept) else text
        rest = text[len(kept) :]
        joint = "" if not kept or kept.endswith("\n") else end
        head = ["tests:"] if self.is_first else []
        return kept + joint + "".join(f"{line}{end}" for line in (*head, *new)) + rest


def _check(new: CaseFile, old: CaseFile, written: Written, name: str, site: Site, stages: Stages) -> None:
    """Raises `Invalid` where the file does not have the old tests and the new one, or that one does not pass there."""
    if sorted(case.name for case in new.all) != sorted([name, *(case.name for case in old.all)]):
        raise _refused(old, "its `tests` is no list with an item on each line")
    stage, findings = stages.of(new.configuration or site.configuration.path)
    if stage is None:
        raise Invalid(findings)
    cases: Sequence[Any] = [case for case in new.all if case.name == name]
    results = [*FileRun(new, stage, stages.new_folder).results(cases)]
    if written.comes_again and not all(result.passed for result in results):
        raise _refused(old, "what all its tests are given changes what comes of the packet")


def _refused(file: CaseFile, why: str) -> Invalid:
    message = f"{printable(file.shown)} cannot take the test: {why}"
    return Invalid(Finding("cannot-write", message, hint="write it into a new file, with --output"))
