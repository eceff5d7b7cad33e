"""The kinds of action that packages bring, as `doctor` sees them: their modules are imported, and nothing is done."""

from collections.abc import Iterator

from amierules.actions.own_kinds import own_kinds
from amierules.actions.own_module import OwnModule
from amierules.engine.health.check import Check, error, from_findings, ok


def check_kinds() -> Iterator[Check]:
    """Whether each kind can be used; nothing where no package brings any."""
    found = own_kinds()
    yield from from_findings("kinds", found.findings)
    for kind in found.kinds.values():
        why = OwnModule(kind).check()
        yield error("kinds", why, "mend the package") if why else ok("kinds", f"{kind.name}, of {kind.package}")
