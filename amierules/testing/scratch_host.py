"""The world of a test: a folder that stands for the host, programs and services that are models or scripts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from amierules.ports import FixedClock, Host
from amierules.ports import World as Ports
from amierules.ports.scripted import (
    MemoryDirectory,
    Script,
    ScriptedCommand,
    ScriptedNodes,
    ScriptedProcesses,
    ShadowTools,
    SlurmModel,
)
from amierules.ports.scripted.programs import Program
from amierules.rulebook.configuration import Configuration
from amierules.testing.model import World
from amierules.testing.reading_given import several

_ROOT_LINES = {"passwd": "root:x:0:0:root:/root:/bin/bash", "shadow": "root:*:19000:0:99999:7:::", "group": "root:x:0:"}
_LOCKED = "1"
"""The day of expiry of a locked account."""


@dataclass
class ScratchHost:
    """What is there outside the database, in a folder of the test's own."""

    folder: Path
    clock: FixedClock
    mapfile: str
    script: Script = field(default_factory=Script)
    slurm: SlurmModel = field(default_factory=SlurmModel)
    directory: MemoryDirectory = field(default_factory=MemoryDirectory)

    @classmethod
    def make(cls, folder: Path, configuration: Configuration, clock: datetime) -> "ScratchHost":
        """An empty one: root is there alone, and the bases of the directory."""
        (folder / "etc").mkdir(parents=True)
        (folder / "run").mkdir()
        for name, line in _ROOT_LINES.items():
            (folder / "etc" / name).write_text(line + "\n", encoding="utf-8")
        bases = list(configuration.ldap.named.values()) if configuration.ldap is not None else []
        mapfile = str(configuration.grid_mapfile)
        Path(f"{folder}{mapfile}").parent.mkdir(parents=True, exist_ok=True)
        return cls(folder, FixedClock(clock), mapfile, directory=MemoryDirectory(bases))

    def ports(self) -> Ports:
        """The world as actions get it."""
        return Ports(
            ScriptedProcesses(self.script, self._programs()),
            self.clock,
            self.directory,
            ScriptedNodes(self.script),
            Host(str(self.folder), superuser=True),
        )

    def mapfile_lines(self) -> list[str]:
        """The lines of the grid-mapfile."""
        path = Path(f"{self.folder}{self.mapfile}")
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    def modelled(self) -> frozenset[str]:
        """The names of the programs that have a model."""
        return frozenset(self._programs())

    def _programs(self) -> dict[str, Program]:
        return {**ShadowTools(self.folder).programs(), **self.slurm.programs()}

    def add(self, world: World) -> list[ScriptedCommand]:
        """Put what the test file gives there; returns its scripts, as this test uses them. Raises `DirectoryError`."""
        self._add_accounts(world.users, world.groups)
        for entry in world.directory:
            self.directory.put(entry["dn"], {name: several(values) for name, values in entry["attributes"].items()})
        for account in world.slurm_accounts:
            clusters = {name: _texts(settings or {}) for name, settings in account.get("clusters", {}).items()}
            self.slurm.put_account(account["name"], account, account.get("coordinators", ()), clusters)
        for user in world.slurm_users:
            self.slurm.put_user(user["name"], user["account"], user["cluster"], _texts(user.get("settings", {})))
        if world.grid_mapfile:
            with Path(f"{self.folder}{self.mapfile}").open("a", encoding="utf-8") as lines:
                lines.writelines(f"{line}\n" for line in world.grid_mapfile)
        commands = [replace(command) for command in world.commands]
        # What comes later is asked first.
        self.script.commands[:0] = commands
        return commands

    def _add_accounts(self, users: Sequence[Mapping[str, Any]], groups: Sequence[Mapping[str, Any]]) -> None:
        for group in groups:
            self._append("group", f"{group['name']}:x:{group['gid']}:{','.join(group.get('members', ()))}")
        known = self._known_groups()
        for user in users:
            name, uid, primary = user["name"], user["uid"], user.get("group", user["name"])
            if primary not in known:
                known[primary] = uid
                self._append("group", f"{primary}:x:{uid}:")
            comment, home, shell = user.get("comment", ""), user.get("home", f"/home/{name}"), user.get("shell")
            self._append("passwd", f"{name}:x:{uid}:{known[primary]}:{comment}:{home}:{shell or '/bin/bash'}")
            if ".." not in Path(home).parts:
                Path(f"{self.folder}/{home}").mkdir(parents=True, exist_ok=True)
            self._append("shadow", f"{name}:!:19000:0:99999:7::{_LOCKED if user.get('locked') else ''}:")
            self._join(name, user.get("groups", ()), known)

    def _join(self, name: str, groups: Iterable[str], known: dict[str, int]) -> None:
        for group in groups:
            if group not in known:
                known[group] = max(known.values()) + 1
                self._append("group", f"{group}:x:{known[group]}:")
        lines = (self.folder / "etc" / "group").read_text(encoding="utf-8").splitlines()
        wanted = set(groups)
        joined = [
            f"{line.rstrip(',')},{name}".replace(":,", ":") if line.split(":")[0] in wanted else line for line in lines
        ]
        (self.folder / "etc" / "group").write_text("".join(f"{line}\n" for line in joined), encoding="utf-8")

    def _known_groups(self) -> dict[str, int]:
        lines = (self.folder / "etc" / "group").read_text(encoding="utf-8").splitlines()
        return {fields[0]: int(fields[2]) for fields in (line.split(":") for line in lines)}

    def _append(self, name: str, line: str) -> None:
        with (self.folder / "etc" / name).open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def _texts(settings: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in settings.items()}
