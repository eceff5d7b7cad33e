"""What the engine works with at one site: configuration, rulebook, database, the outside world."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from amierules.actions.base import Kind
from amierules.actions.slurm_calls import SECTION as SLURM
from amierules.actions.table import SENDS
from amierules.database.connection import Database
from amierules.ports import World
from amierules.rulebook.configuration import Configuration
from amierules.rulebook.model import Rulebook


@dataclass(frozen=True)
class Site:
    """Everything that does not change from packet to packet."""

    configuration: Configuration
    rulebook: Rulebook
    database: Database
    world: World
    kinds: Mapping[str, Kind]
    schemas: Mapping[str, dict[str, Any]]
    """The schema of each kind's parameters."""
    who: str
    """Who acts, for the events: `run@host`, or a person."""

    @property
    def name(self) -> str:
        """Our name in AMIE."""
        return self.configuration.site_name

    @property
    def defaults(self) -> Mapping[str, Mapping[str, Any]]:
        """Defaults of parameters by kind, from the configuration."""
        prefix, sudo = self.configuration.shadow_prefix, self.configuration.shadow_sudo
        shadow = {**({"prefix": str(prefix)} if prefix else {}), "sudo": sudo}
        rooted = {"user": shadow, "group": shadow}
        sites = self.configuration.remote_site_names
        ldap = self.configuration.ldap
        directory = {kind: {"bases": ldap.named} for kind in ("ldap_entry", "ldap_search")} if ldap else {}
        mapped = {"grid_mapfile": {"file": str(self.configuration.grid_mapfile)}}
        sent = {SENDS: {"charset": self.configuration.charset, "remote_site_names": sites}}
        resources = self.configuration.resources
        clusters = {name: given["cluster"] for name, given in resources.items() if "cluster" in given}
        slurm = {SLURM: {**self.configuration.slurm, "clusters": clusters}}
        return {**rooted, **mapped, **directory, **sent, **slurm}


CrashPoint = Callable[[str], None]
"""Called with the name of each point where a crash would be seen by the next run; tests stop the process there."""
