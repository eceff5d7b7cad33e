"""Packet types that no rule file is for."""

from collections.abc import Collection

from amierules.diagnostics import Finding, Place, Severity, printable
from amierules.protocol.catalogue import catalogue
from amierules.rulebook.checks.view import Surroundings
from amierules.rulebook.files import shown

TYPE_WITHOUT_RULE = "type-without-rule"


def types_without_rules(known: Collection[str], surroundings: Surroundings) -> list[Finding]:
    """One warning about the types that come to sites and that no rule file, broken or not, is for."""
    configuration = surroundings.configuration
    if configuration is None or not surroundings.whole_site:
        return []
    coming = [one for one in catalogue().types.values() if one.direction in ("to_site", "both")]
    missing = sorted(one.name for one in coming if one.name not in known)
    if not missing or len(missing) == len(coming):
        return []
    message = printable(f"no rule file is for {', '.join(missing)}: such packets are parked")
    hint = (
        "`amierules init . --force` adds shipped rule files that are missing; a rule with `ignore` leaves packets alone"
    )
    place = Place(shown(configuration.path))
    return [Finding(TYPE_WITHOUT_RULE, message, place, hint, Severity.WARNING)]
