"""A site with all its real parts at once, run by the commands, and the state of each part as lines of a table."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2
import yaml

from tests.support import amie_json
from tests.support.command_line import Ended, call
from tests.support.servers import MailServer, WebServer
from tests.support.slapd import GROUPS, PEOPLE, Slapd
from tests.support.slurm import CLUSTER, PATIENCE, SlurmServer
from tests.support.sshd import SshServer

State = dict[str, str]
"""What stands where: `directory games` is `open`. What is not there has no line."""

_ACCOUNTS = """
select a.login, p.grant_number, a.resource, a.active
from amierules_account a join amierules_project p on p.key = a.project
"""
_PERSONS = """
select coalesce(p.global_id, '-'), p.person_id,
  array(select person_id from amierules_person_alias where person = p.key order by 1),
  array(select global_id from amierules_person_former_global where person = p.key order by 1),
  array(select login from amierules_person_login where person = p.key order by 1)
from amierules_person p
"""
_REPLY = """
select t.type_name from packet_tbl o join amierules_packet a using (packet_rec_id) join type_des t using (type_id)
where a.in_reply_to = %s
"""
_MOMENTS = ("packet", "slack", "mail", "head node")
"""What happened, as opposed to what is so from now on."""


@dataclass(frozen=True)
class Parts:
    """The real parts."""

    database: str
    directory: Slapd
    slurm: SlurmServer
    nodes: SshServer
    web: WebServer
    mail: MailServer
    mapfile: Path

    def sections(self, folder: Path) -> dict[str, Any]:
        """What a configuration says of them; the secret of the webhook is written to `folder`."""
        secret = folder / "webhook"
        secret.write_text(f"{self.web.url}\n", encoding="utf-8")
        secret.chmod(0o600)
        return {
            "database": self.database,
            "secrets": {"slack": {"file": str(secret)}},
            "mail": {"host": "127.0.0.1", "port": self.mail.port, "from": "amie@site.example"},
            "ldap": self.directory.section(),
            "slurm": {"conf": str(self.slurm.conf)},
            "ssh": self.nodes.section(),
            "grid_mapfile": {"file": str(self.mapfile)},
        }


@dataclass
class WholeSite:
    """A site folder, whose packets are taken one at a time."""

    config: Path
    parts: Parts
    told: Path | None = None
    """What the site's own command was told, where it has one; each line a call."""
    transactions: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def command(self, *words: object) -> Ended:
        """A command of amierules on this site."""
        return call(*words, "--config", self.config)

    def take(self, step: Mapping[str, Any]) -> State:
        """Loads a packet of the table, or approves the last one, and runs; returns how it ended, and who was told."""
        before = (len(self.parts.web.requests), len(self.parts.mail.mails), len(self._calls()))
        given = self._approve(step) if "approve" in step else self._load(step)
        assert given.status == 0, given.stderr
        ran = self.command("run")
        (shown,) = self.command("status", "--all", "--format", "json").json("status")["packets"][-1:]
        ending = shown["status"] if shown["status"] == "done" else f"{shown['status']}: {shown['reason']}"
        assert ran.status in (0, 3), ran.stderr
        return {"packet": f"{ending}, {self._reply(shown['packet_rec_id'])}", **self._heard(*before)}

    def state(self) -> State:
        """The state of each part, asked of that part."""
        return {**self._registry(), **self._directory(), **self._slurm(), **self._mapfile()}

    def _heard(self, requests: int, mails: int, calls: int) -> State:
        texts = [json.loads(one["body"])["text"].strip() for one in self.parts.web.requests[requests:]]
        heard = {
            "slack": " | ".join(text.splitlines()[0] for text in texts),
            "mail": " | ".join(", ".join(mail.rcpt_tos) for mail in self.parts.mail.mails[mails:]),
            "head node": " | ".join(sorted(self._calls()[calls:])),
        }
        return {who: what for who, what in heard.items() if what}

    def _calls(self) -> list[str]:
        if self.told is None or not self.told.exists():
            return []
        calls = self.told.read_text(encoding="utf-8").splitlines()
        return [call for call in calls if not call.startswith("check")]

    def _load(self, step: Mapping[str, Any]) -> Ended:
        file = self.config.parent / "packet.json"
        file.write_text(json.dumps(self._packet(step)), encoding="utf-8")
        return self.command("load", file)

    def _approve(self, step: Mapping[str, Any]) -> Ended:
        (last,) = self._ask("select max(packet_rec_id) from amierules_work")
        return self.command("approve", *last, "--reason", step["approve"])

    def _packet(self, step: Mapping[str, Any]) -> dict[str, Any]:
        make = getattr(amie_json, str(step["send"]))
        header = {**self.transactions[step["in_transaction_of"]], "packet_id": 3} if "in_transaction_of" in step else {}
        packet: dict[str, Any] = make(step.get("body", {}), **header)
        known = ("trans_rec_id", "transaction_id")
        self.transactions.setdefault(str(step["send"]), {name: packet["header"][name] for name in known})
        return packet

    def _ask(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.parts.database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(query, values)
                return list(cursor.fetchall())
        finally:
            connection.close()

    def _reply(self, packet_rec_id: int) -> str:
        return " ".join(str(row[0]) for row in self._ask(_REPLY, packet_rec_id)) or "no reply"

    def _registry(self) -> State:
        accounts = {
            f"registry {login} on {grant}, {resource.split('.')[0]}": "active" if active else "inactive"
            for login, grant, resource, active in self._ask(_ACCOUNTS)
        }
        persons = {
            f"registry person {global_id}": f"{' '.join([person_id, *others, *former])}: {' '.join(logins)}"
            for global_id, person_id, others, former, logins in self._ask(_PERSONS)
        }
        return {**accounts, **persons}

    def _directory(self) -> State:
        seen: State = {}
        entries = {
            dn: entry for dn, entry in self.parts.directory.tree().items() if "posixAccount" in entry["objectClass"]
        }
        open_logins = {entry["uid"][0] for entry in entries.values() if entry.get("shadowExpire") != ["1"]}
        for dn, entry in self.parts.directory.tree().items():
            if dn.endswith(f",{PEOPLE}") and entry["uid"] != ["lister"]:
                login = entry["uid"][0]
                seen[f"directory {login}"] = f"{entry['cn'][0]}, {'open' if login in open_logins else 'locked'}"
            elif dn.endswith(f",{GROUPS}") and entry["cn"] != ["crew"]:
                working = [login for login in entry.get("memberUid", []) if login in open_logins]
                seen[f"directory {entry['cn'][0]}"] = " ".join(sorted(working)) or "nobody"
        return seen

    def _slurm(self) -> State:
        seen: State = {}
        columns = "account,user,grptresmins,grpsubmit"
        for account, user, limit, submits in self.parts.slurm.show(
            "assoc", columns, "where", f"cluster={CLUSTER}", "wopl"
        ):
            if account == "root":
                continue
            if not user:
                seen[f"slurm {account}"] = f"{limit}, {'closed' if submits == '0' else 'open'}"
            else:
                runs = self.parts.slurm.try_to_submit(account, user=user).returncode == 0
                seen[f"job of {user} on {account}"] = "accepted" if runs else "refused"
        return seen

    def _mapfile(self) -> State:
        lines = self.parts.mapfile.read_text(encoding="utf-8").splitlines()
        quoted = (line.split('"') for line in lines if line.startswith('"'))
        return {f"mapfile {dn}": logins.strip() for _, dn, logins in quoted}


def play(site: WholeSite, table: Path) -> None:
    """Plays a history: after each packet of the table the state of all parts is the one before, changed as it says."""
    expected = site.state()
    for number, step in enumerate(yaml.safe_load(table.read_text(encoding="utf-8")), 1):
        told = site.take(step)
        then: dict[str, str | None] = step["then"]
        moment = {name: value for name, value in then.items() if name in _MOMENTS}
        changed = {**expected, **{name: value for name, value in then.items() if name not in moment}}
        expected = {name: value for name, value in changed.items() if value is not None}
        place = f"{table.name}, step {number} ({step.get('send', 'approved')})"
        assert told == moment, f"{place}: {_differences(told, moment)}"
        # Slurm's controller hears of what its database has been told a moment later.
        deadline = time.monotonic() + PATIENCE
        while (seen := site.state()) != expected and time.monotonic() < deadline:
            time.sleep(0.5)
        assert seen == expected, f"{place}: {_differences(seen, expected)}"


def _differences(seen: Mapping[str, str], expected: Mapping[str, str | None]) -> list[str]:
    names = sorted(name for name in {*seen, *expected} if seen.get(name) != expected.get(name))
    return [f"{name}: {seen.get(name)!r} and not {expected.get(name)!r}" for name in names]
