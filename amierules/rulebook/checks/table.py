"""The table of checks, and running them over a file."""

from collections.abc import Sequence

from amierules.diagnostics import Finding, Severity
from amierules.rulebook.checks.commands import check_commands
from amierules.rulebook.checks.directory import check_directory
from amierules.rulebook.checks.flow import ABOUT_NONE, check_flow
from amierules.rulebook.checks.misread import check_misread
from amierules.rulebook.checks.plain_texts import check_plain_texts
from amierules.rulebook.checks.reachable import check_reachable
from amierules.rulebook.checks.unused import check_unused
from amierules.rulebook.checks.view import Check, FileView, Surroundings
from amierules.rulebook.structure import mappings_in

CHECKS: Sequence[Check] = (
    check_flow,
    check_commands,
    check_directory,
    check_plain_texts,
    check_misread,
    check_reachable,
    check_unused,
)
"""Each looks at one file; what it finds can be silenced by a comment on the line."""


def check_file(view: FileView, surroundings: Surroundings, before: Sequence[Finding]) -> list[Finding]:
    """What the checks find in a file, in which `before` was found already.

    Nothing is said of a rule (or of a block, or a file's head) that has an error already: most of it would follow
    from that error.
    """
    errors = [finding.place.line for finding in before if finding.severity is Severity.ERROR and finding.place]
    starts = sorted(rule.place.line for rule in mappings_in(view.root.get("rules")))
    if any(_part(starts, line) == 0 for line in errors):
        return []
    broken = {_part(starts, line) for line in errors}
    found = [finding for check in CHECKS for finding in check(view, surroundings)]
    if broken:
        # What seems to be used nowhere may be used where the error is, and what may be none may be ruled out there.
        found = [one for one in found if one.severity is not Severity.NOTE and not _may_be_none(one)]
    return [finding for finding in dict.fromkeys(found) if not broken or _is_apart(finding, view, starts, broken)]


def _is_apart(finding: Finding, view: FileView, starts: Sequence[int], broken: set[int]) -> bool:
    """Whether a finding is in none of the broken rules; one in a template is in the rule that names it, if any."""
    if finding.place is None or finding.place.file != view.path:
        return finding.place is None
    return _part(starts, finding.place.line) not in broken


def _may_be_none(finding: Finding) -> bool:
    return finding.severity is Severity.WARNING and finding.code in ABOUT_NONE


def _part(starts: Sequence[int], line: int) -> int:
    """Which rule a line belongs to, from 1; 0 for what stands before the first."""
    return sum(1 for start in starts if start <= line)
