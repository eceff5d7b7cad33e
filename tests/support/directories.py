"""Runs the kinds of the directory as the engine does; DNs and filters are written with expressions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from amierules.actions.base import Kind, Plan, Surroundings
from amierules.ports import Directory
from amierules.templating import Environment
from tests.support.shadow import Runner
from tests.support.slapd import GROUPS, PEOPLE, SUFFIX

_ENVIRONMENT = Environment()
BASES = {"bases": {"": SUFFIX, "people": PEOPLE, "groups": GROUPS}}
BO_ENTRY: dict[str, Any] = {
    "dn": "uid=bo",
    "base": "people",
    "object_classes": ["inetOrgPerson", "posixAccount", "shadowAccount"],
    "attributes": {"uidNumber": 20000, "cn": "Bo Sample", "sn": "Sample"},
    "create_only": {"gidNumber": "20000", "homeDirectory": "/home/bo"},
}
"""The parameters of `ldap_entry` for a new account."""


class DirectoryRunner(Runner):
    """Runs one kind against a directory. `names` are what expressions in `dn` and `filter` see."""

    def __init__(self, kind: Kind, name: str, directory: Directory) -> None:
        super().__init__(kind, name, None)
        self.world = replace(self.world, directory=directory)
        self.names: dict[str, object] = {}

    def surroundings(self, *, dry: bool = False, timeout: float | None = None) -> Surroundings:
        """What the action may touch."""
        return replace(super().surroundings(dry=dry, timeout=timeout), defaults={self.name: BASES})

    def params(self, **given: Any) -> Mapping[str, Any]:
        """The parameters; `dn` and `filter` are texts as in rules. Raises `EvaluationError`."""
        if "dn" in given:
            given["dn"] = _ENVIRONMENT.distinguished_name(given["dn"]).evaluate(self.names)
        if "filter" in given:
            given["filter"] = _ENVIRONMENT.ldap_filter(given["filter"]).evaluate(self.names)
        return super().params(**given)

    def conflict(self, **given: Any) -> str:
        """Why there is a conflict."""
        plan: Plan = self.plan(**given)
        assert plan.conflict, plan
        return plan.reason
