"""Packets with hostile values in half of their tags, answered by the shipped rules on real parts: no harm is done."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from amierules.protocol.catalogue import catalogue
from tests.support.harmless import Canaries
from tests.support.hostile_packets import HostileTraffic
from tests.support.hostile_proof import PLAIN_GROUP, PLAIN_LOGIN, HostileSite, packets_wanted, prove
from tests.support.outside import Change, Mapfile, State, UnixAccounts
from tests.support.outside_servers import SlurmAccounts, Tree
from tests.support.rules import write
from tests.support.servers import MailServer, WebServer, mail_server, web_server
from tests.support.shadow import ScratchRoot
from tests.support.slapd import GROUPS, PEOPLE, Slapd
from tests.support.slurm import CLUSTER, SlurmServer
from tests.support.sshd import ADDRESSES, SshServer

ON_LDAP, ON_NODES, ON_SHADOW, ON_SLURM = 1200, 550, 220, 30
FOREIGN_LINES = '# kept by hand\n"/CN=of others" lister\n'
IDS = {"uid": {"range": [20000, 29999]}, "gid": {"range": [40000, 49999]}, "person_id": {"from": "uid"}}


@pytest.fixture
def servers() -> Iterator[tuple[WebServer, MailServer]]:
    """Where messages go."""
    with web_server() as web, mail_server() as mail:
        yield web, mail


@pytest.fixture
def canaries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Canaries:
    """What must not be touched."""
    made = Canaries.make(tmp_path / "canaries")
    made.watch(monkeypatch)
    return made


@pytest.fixture
def mapfile(tmp_path: Path) -> Iterator[Path]:
    """A grid-mapfile in which somebody has lines; afterwards it has them still, and no login that is none."""
    file = tmp_path / "grid-mapfile"
    file.write_text(FOREIGN_LINES, encoding="utf-8")
    yield file
    content = file.read_text(encoding="utf-8")
    assert content.startswith(FOREIGN_LINES)
    lines = content.removeprefix(FOREIGN_LINES).split("\n")
    assert lines.pop() == ""
    assert lines
    for line in lines:
        found = re.fullmatch(r'"([^"\x00-\x1f\x7f]+)" (\S+)', line)
        assert found is not None, line
        assert all(PLAIN_LOGIN.fullmatch(login) for login in found[2].split(",")), line
    assert {path.name for path in file.parent.glob("*grid*")} <= {"grid-mapfile", ".grid-mapfile.lock"}


def seeded(seed: int) -> HostileTraffic:
    """Packets of a seed, which is printed with a failure."""
    print(f"seed {seed}")
    return HostileTraffic(seed)


def test_with_a_directory_and_a_grid_mapfile(
    tmp_path: Path,
    canaries: Canaries,
    servers: tuple[WebServer, MailServer],
    directory: Slapd,
    mapfile: Path,
    sqlite_url: str,
) -> None:
    before = directory.tree()
    sections = {
        "database": sqlite_url,
        "settings": {"accounts": "ldap", "dns": "grid_mapfile", "blank_absent": True},
        "ldap": directory.section(),
        "grid_mapfile": {"file": str(mapfile)},
        "ids": IDS,
    }
    site = HostileSite.make(tmp_path / "site", canaries, *servers, sections)
    traffic = seeded(1)
    ends = prove(site, (Tree(directory), Mapfile(mapfile)), traffic, packets_wanted(ON_LDAP), on_terminal=True)
    print(traffic.dealt, dict(ends))
    assert ends["done"] > packets_wanted(ON_LDAP) * 0.4
    after = directory.tree()
    assert {dn: entry for dn, entry in after.items() if dn in before} == before
    for dn in after.keys() - before.keys():
        _assert_ours(dn, after[dn])


def _assert_ours(dn: str, entry: dict[str, list[str]]) -> None:
    name, _, base = dn.partition(",")
    if base == PEOPLE:
        (login,) = entry["uid"]
        assert (name, bool(PLAIN_LOGIN.fullmatch(login))) == (f"uid={login}", True)
        assert entry["objectClass"] == sorted(["inetOrgPerson", "posixAccount", "shadowAccount"])
        assert 20000 <= int(entry["uidNumber"][0]) <= 29999
        assert (entry["homeDirectory"], entry["loginShell"]) == ([f"/home/{login}"], ["/bin/bash"])
        wanted = {"objectClass", "uid", "cn", "sn", "uidNumber", "gidNumber", "homeDirectory", "loginShell"}
        assert entry.keys() - {"shadowExpire"} == wanted
    else:
        (group,) = entry["cn"]
        assert (base, bool(PLAIN_GROUP.fullmatch(group)), entry["objectClass"]) == (GROUPS, True, ["posixGroup"])
        assert name == f"cn={group}".replace("+", "\\2B")
        assert entry.keys() - {"memberUid"} == {"objectClass", "cn", "gidNumber"}
        assert all(PLAIN_LOGIN.fullmatch(login) for login in entry.get("memberUid", ()))


_TAGS = tuple(tag.name for tag in catalogue().types["request_user_modify"].tags() if not (tag.is_list or tag.subtags))
_WORDS = [f"{{{{ packet.{name} or '' }}}}" for name in _TAGS if name not in ("PersonID", "ActionType")]
ON_A_NODE = {
    "packet": "request_user_modify",
    "rules": [
        {
            "name": "told to a node",
            "actions": [{"name": "tell", "command": {"nodes": ADDRESSES[0], "run": ["RECORD", "--", *_WORDS]}}],
            "reply": {},
        }
    ],
}
"""A rule that gives the words of a packet to a program on another node."""


@dataclass(frozen=True)
class Told:
    """What the program on the other node was told, call by call."""

    file: Path
    kinds = frozenset({"command"})

    def look(self) -> State:
        """The words of all calls."""
        return {"told": self.file.read_bytes().decode().split("\0")[:-1] if self.file.exists() else []}

    def foretell(self, state: State, change: Change) -> State:
        """One call more."""
        assert change["nodes"] == [ADDRESSES[0]]
        return {"told": [*state["told"], *change["argv"][1:]]}


def test_with_commands_on_a_node(
    tmp_path: Path, canaries: Canaries, servers: tuple[WebServer, MailServer], sshd: SshServer, sqlite_url: str
) -> None:
    told, record, rules, kept = (tmp_path / name for name in ("told", "record", "nodes", "ssh-config"))
    record.write_text(f"#!/bin/sh\nprintf '%s\\0' \"$@\" >>{told}\n", encoding="utf-8")
    record.chmod(0o755)
    # One connection for all calls: it is what a call costs.
    kept.write_text(f"Host *\nControlMaster auto\nControlPath {tmp_path}/%p\nControlPersist 60\n", encoding="utf-8")
    write(rules, {"request_user_modify.yaml": json.dumps(ON_A_NODE).replace("RECORD", str(record))})
    sections = {
        "database": sqlite_url,
        "settings": {"dns": "none"},
        "rules": [str(rules), "rules"],
        "ssh": sshd.section(config=str(kept)),
        "ids": IDS,
    }
    home = sorted(os.listdir(Path.home()))
    site = HostileSite.make(tmp_path / "site", canaries, *servers, sections)
    traffic = seeded(4)
    ends = prove(site, (Told(told),), traffic, packets_wanted(ON_NODES))
    print(traffic.dealt, dict(ends))
    assert ends["done"] > packets_wanted(ON_NODES) * 0.4
    assert len(Told(told).look()["told"]) > packets_wanted(ON_NODES) * len(_WORDS) / 5
    assert sorted(os.listdir(Path.home())) == home


def test_with_unix_accounts_and_a_grid_mapfile(
    tmp_path: Path,
    canaries: Canaries,
    servers: tuple[WebServer, MailServer],
    mapfile: Path,
    postgres_ready_url: str,
) -> None:
    root = ScratchRoot.make(tmp_path / "root")
    tree, before = root.tree(), {name: _lines(root, name) for name in ("passwd", "shadow", "group", "gshadow")}
    sections = {
        "database": postgres_ready_url,
        "settings": {"accounts": "shadow", "dns": "grid_mapfile", "merge": "merge"},
        "shadow": {"prefix": str(root.path)},
        "grid_mapfile": {"file": str(mapfile)},
        "ids": IDS,
    }
    site = HostileSite.make(tmp_path / "site", canaries, *servers, sections)
    traffic = seeded(2)
    ends = prove(site, (UnixAccounts(root), Mapfile(mapfile)), traffic, packets_wanted(ON_SHADOW))
    print(traffic.dealt, dict(ends))
    assert ends["done"] > packets_wanted(ON_SHADOW) * 0.4
    assert {re.sub(r"[-+]$", "", path) for path in root.tree()} - tree <= {"etc/.amierules.lock"}
    for name, lines in before.items():
        assert [line[:2] for line in _lines(root, name)[: len(lines)]] == [line[:2] for line in lines]
    for line in _lines(root, "passwd")[len(before["passwd"]) :]:
        assert PLAIN_LOGIN.fullmatch(line[0])
        assert 20000 <= int(line[2]) <= 29999
        assert (len(line), line[5], line[6] in ("", "/bin/sh", "/bin/bash")) == (7, f"/home/{line[0]}", True)
    for line in _lines(root, "group")[len(before["group"]) :]:
        assert PLAIN_GROUP.fullmatch(line[0])
        assert (len(line), int(line[2]) >= 20000) == (4, True)


def _lines(root: ScratchRoot, file: str) -> list[list[str]]:
    text = (root.path / "etc" / file).read_text(encoding="utf-8")
    return [line.split(":") for line in text.split("\n")[:-1]]


def test_with_accounts_in_slurm(
    tmp_path: Path,
    canaries: Canaries,
    servers: tuple[WebServer, MailServer],
    slurm: SlurmServer,
    postgres_ready_url: str,
) -> None:
    before: dict[str, Any] = SlurmAccounts(slurm).look()
    sections = {
        "database": postgres_ready_url,
        "settings": {"scheduler": "slurm", "coordinators": ["pi", "co_pi", "$(touch pwned)", "root"]},
        "slurm": {"conf": str(slurm.conf)},
        "resources": {"alpha.site.example": {"cluster": CLUSTER}},
        "ids": IDS,
    }
    site = HostileSite.make(tmp_path / "site", canaries, *servers, sections)
    traffic = seeded(3)
    ends = prove(site, (SlurmAccounts(slurm),), traffic, packets_wanted(ON_SLURM))
    print(traffic.dealt, dict(ends))
    assert ends["done"] > packets_wanted(ON_SLURM) * 0.4
    after = SlurmAccounts(slurm).look()
    assert {name: about for name, about in after.items() if name in before} == before
    names = [name.removeprefix("account ") for name in after.keys() - before.keys() if name.startswith("account ")]
    assert all(PLAIN_GROUP.fullmatch(name) for name in names)
    rights = {user: admin for user, admin in slurm.show("user", "user,admin") if user != "root"}
    assert all(PLAIN_LOGIN.fullmatch(user) for user in rights)
    assert {*rights.values()} <= {"None"}
