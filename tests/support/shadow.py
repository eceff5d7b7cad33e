"""A scratch root with account files of its own, and the surroundings in which actions change them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from amierules.actions.base import Kind, Plan, Surroundings
from amierules.actions.parameters import check_params
from amierules.actions.schemas import kind_schema
from amierules.database.connection import Database
from amierules.database.registry import RegistryView
from amierules.database.rows import Person, Project
from amierules.ports import FixedClock, LocalProcesses, Processes, World
from tests.support.real import require

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEP = "user/Unix account"

_FILES = {
    "passwd": "root:x:0:0:root:/root:/bin/bash\nlister:x:38:38:List of names:/var/list:/usr/sbin/nologin\n",
    "shadow": "root:*:19000:0:99999:7:::\nlister:*:19000:0:99999:7:::\n",
    "group": "root:x:0:\nlister:x:38:\nproj1:x:30001:\nproj2:x:30002:\nproj3:x:30003:\n",
    "gshadow": "root:*::\nlister:*::\nproj1:!::\nproj2:!::\nproj3:!::\n",
    "login.defs": "UID_MIN 1000\nUID_MAX 60000\nGID_MIN 1000\nGID_MAX 60000\nUSERGROUPS_ENAB yes\nHOME_MODE 0700\n",
}
_HOST_FILES = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid", "login.defs")


class NoAllocator:
    """No kind of these tests asks for an id."""

    def number(self, *asked: Any, **named: Any) -> int:
        raise AssertionError(asked)

    def login(self, *asked: Any) -> str:
        raise AssertionError(asked)


@dataclass(frozen=True)
class ScratchRoot:
    """A folder with an `etc/` that the shadow-utils change in place of the host's."""

    path: Path

    @classmethod
    def make(cls, path: Path) -> "ScratchRoot":
        """A new root with `root`, `lister`, and the groups proj1 to proj3; skips where there are no shadow-utils."""
        for tool in ("useradd", "usermod", "userdel", "groupadd", "groupdel"):
            require(tool)
        (path / "etc" / "skel").mkdir(parents=True)
        (path / "home").mkdir()
        for name, text in _FILES.items():
            (path / "etc" / name).write_text(text, encoding="utf-8")
        return cls(path)

    def line(self, file: str, name: str) -> list[str] | None:
        """The fields of the line of `name` in `etc/FILE`, or None."""
        lines = (self.path / "etc" / file).read_text(encoding="utf-8").splitlines()
        return next((fields for fields in (line.split(":") for line in lines) if fields[0] == name), None)

    def groups_of(self, login: str) -> set[str]:
        """The groups that list `login` as a member."""
        lines = (self.path / "etc" / "group").read_text(encoding="utf-8").splitlines()
        return {name for name, _, _, members in (line.split(":") for line in lines) if login in members.split(",")}

    def remove_line(self, file: str, name: str) -> None:
        """Removes the line of `name` from `etc/FILE`."""
        path = self.path / "etc" / file
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(line for line in lines if line.partition(":")[0] != name), encoding="utf-8")

    def set_password(self, login: str, hashed: str) -> None:
        """Writes a password field."""
        shadow = self.path / "etc" / "shadow"
        lines = [line.split(":") for line in shadow.read_text(encoding="utf-8").splitlines()]
        changed = [[name, hashed if name == login else field, *rest] for name, field, *rest in lines]
        shadow.write_text("".join(":".join(fields) + "\n" for fields in changed), encoding="utf-8")

    def tree(self) -> set[str]:
        """Every path under the root, relative to it."""
        return {str(path.relative_to(self.path)) for path in self.path.rglob("*")}


def host_digest() -> str:
    """A digest of the host's own account files, which no test may change, and of the names in /home."""
    digest = hashlib.sha256()
    for file in (Path("/etc") / name for name in _HOST_FILES):
        digest.update(file.read_bytes() if file.exists() else b"-")
    digest.update("\n".join(sorted(str(path) for path in Path("/home").iterdir())).encode())
    return digest.hexdigest()


class Runner:
    """Runs one kind of action in a scratch root, as the engine does: probe, plan, apply."""

    def __init__(self, kind: Kind, name: str, root: Path | None, processes: Processes | None = None) -> None:
        self.kind = kind
        self.name = name
        self.schema = kind_schema(name)
        self.database = Database.open("sqlite://", create=True)
        self.world = World(processes or LocalProcesses(), FixedClock(NOW))
        self.root = root
        self.defaults: dict[str, Any] = {} if root is None else {"prefix": str(root)}
        self.registry = RegistryView(self.database.read)

    def known(self, *rows: Person | Project) -> None:
        """Puts rows into the registry that a former run made."""
        view = RegistryView(self.database.read)
        for row in rows:
            view.put(row)
        with self.database.begin() as connection:
            view.flush(connection)
        self.registry = RegistryView(self.database.read)

    def surroundings(self, *, dry: bool = False, timeout: float | None = None) -> Surroundings:
        """What the action may touch."""
        return Surroundings(
            world=self.world,
            registry=self.registry,
            step=STEP,
            dry=dry,
            allocate=NoAllocator(),
            resource="alpha.site.example",
            rows={},
            defaults={self.name: self.defaults},
            timeout=timeout,
        )

    def params(self, **given: Any) -> Mapping[str, Any]:
        """The parameters, checked against the kind's schema."""
        params, problems = check_params(self.schema, given)
        assert problems == []
        return params

    def plan(self, *, dry: bool = False, **given: Any) -> Plan:
        """What there is to do."""
        params, surroundings = self.params(**given), self.surroundings(dry=dry)
        return self.kind.plan(params, self.kind.probe(params, surroundings), surroundings)

    def run(self, **given: Any) -> Any:
        """Does it. The plan must be no conflict, and nothing may be left to do afterwards."""
        params, surroundings = self.params(**given), self.surroundings()
        plan = self.kind.plan(params, self.kind.probe(params, surroundings), surroundings)
        assert not plan.conflict, plan.reason
        return self.kind.apply(params, plan, surroundings)

    def planned(self, **given: Any) -> tuple[Any, Any, Any]:
        """Parameters, plan and surroundings, for an `apply` after something has happened in between."""
        params, surroundings = self.params(**given), self.surroundings()
        return params, self.kind.plan(params, self.kind.probe(params, surroundings), surroundings), surroundings
