"""Hostile packets through the commands, on real parts: what they print, send and leave behind is looked at."""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy import select

from amierules.database import own_tables
from amierules.database.connection import Database
from amierules.database.json_values import from_json
from amierules.engine.site_folder import write_site_folder
from tests.support.amie_json import ALPHA, SITE
from tests.support.command_line import Ended, call, on_terminal
from tests.support.harmless import (
    Canaries,
    assert_one_mail,
    assert_plain_in_slack,
    assert_text,
    assert_text_on_terminal,
    read_record,
)
from tests.support.hostile_packets import HostileTraffic, Packet, ordinary
from tests.support.outside import BackEnd
from tests.support.servers import MailServer, WebServer

STAFF = "staff@site.example"
ENDED = {"done", "held", "parked", "failed", "deferred", "waiting"}
"""How a packet may stand afterwards: none is in doubt, tried for ever, or lost."""
PATIENCE = 600
ROUND, LOOKED_AT = 500, 25
"""So many packets are loaded at a time, and so many are planned, too, and looked at."""
_SAID = "packet.ProjectTitle or packet.Comment or packet.Message or subject.LastName"
NOTIFY = {
    "done": [
        {"slack": {"text": f"{{{{ header.type }}}} is done: {{{{ {_SAID} }}}}"}},
        {"slack": {"template": "failed_over_there.txt.j2"}, "when": "header.type == 'inform_transaction_complete'"},
    ],
    "held": [{"mail": {"to": STAFF, "subject": "held: {{ reason }}", "template": "please_approve.txt.j2"}}],
    "parked": [{"mail": {"to": STAFF, "template": "needs_a_person.txt.j2"}}],
    "failed": [{"slack": {"template": "failed.txt.j2"}}],
    "deferred": [{"slack": {"template": "needs_a_person.txt.j2"}}],
}  # fmt: skip
_OF_RULES = {"request_account_create": "account_created", "request_project_create": "project_created"}


def packets_wanted(ordinary_number: int) -> int:
    """How many packets a site gets; AMIERULES_HOSTILE asks for so many times as many."""
    return ordinary_number * int(os.environ.get("AMIERULES_HOSTILE") or 1)


@dataclass
class HostileSite:
    """A folder as `init` writes it, whose rules tell Slack of what they do; and the canaries around it."""

    config: Path
    canaries: Canaries
    web: WebServer
    mail: MailServer

    @classmethod
    def make(
        cls, folder: Path, canaries: Canaries, web: WebServer, mail: MailServer, changed: Mapping[str, Any]
    ) -> "HostileSite":
        """Writes the folder; `changed` are the sections of the configuration that this site has otherwise."""
        write_site_folder(folder, SITE, (ALPHA,))
        secret = folder / "webhook"
        secret.write_text(f"{web.url}\n", encoding="utf-8")
        secret.chmod(0o600)
        for packet_type, template in _OF_RULES.items():
            rule = folder / "rules" / f"{packet_type}.yaml"
            rule.write_text(f"{rule.read_text()}    notify: [{{slack: {{template: {template}.txt.j2}}}}]\n")
        config = folder / "amierules.yaml"
        written = yaml.safe_load(config.read_text(encoding="utf-8"))
        plain = {
            **written,
            "secrets": {"slack": {"file": str(secret)}},
            "mail": {"host": "127.0.0.1", "port": mail.port, "from": "amie@site.example"},
            "notify": NOTIFY,
            **changed,
            "settings": {**written["settings"], **changed["settings"]},
        }
        config.write_text(yaml.safe_dump(plain, sort_keys=False, width=1000), encoding="utf-8")
        return cls(config, canaries, web, mail)

    def command(self, *words: object) -> Ended:
        """A command, whose output goes into a file; it may be no internal error."""
        ended = call(*words, "--config", self.config)
        assert ended.status in (0, 1, 2, 3), (words, ended.status, ended.stderr[-2000:])
        assert_text(ended.stdout)
        assert_text(ended.stderr)
        return ended

    def shown(self, *words: object) -> str:
        """What a command writes on a terminal."""
        words = (*words, "--config", self.config)
        ended = on_terminal(*words, cwd=self.canaries.here, patience=PATIENCE, NO_COLOR="1")
        assert ended.status in (0, 1, 3), (words, ended.status, ended.stdout[-2000:])
        assert_text_on_terminal(ended.stdout)
        return ended.stdout

    def load(self, packets: Sequence[Packet]) -> None:
        """Loads packets; none is refused."""
        file = self.config.parent / "packets.json"
        file.write_text(json.dumps(packets), encoding="utf-8")
        self.command("load", file)

    def run_into_log(self) -> list[dict[str, str]]:
        """Runs, and returns what the log says, a line a packet."""
        return [read_record(line) for line in self.command("run").stdout.splitlines()]

    def refuse(self) -> None:
        """What a person does lest what stays open keep later packets of its project waiting."""
        for status in ("parked", "held", "deferred"):
            self.command("fail", "--all", "--status", status, "--reason", "not for us", "--yes")

    def database(self) -> Database:
        """The site's database."""
        config = yaml.safe_load(self.config.read_text(encoding="utf-8"))
        return Database.open(config["database"], create=False)

    def check_messages(self) -> int:
        """Looks at all that was sent; returns how many messages there were."""
        for request in self.web.requests:
            assert request["path"] == "/hook"
            assert_plain_in_slack(json.loads(request["body"]))
        for mail in self.mail.mails:
            assert mail.rcpt_tos == [STAFF]
            assert isinstance(mail.content, bytes)
            assert_one_mail(mail.content, STAFF)
        return len(self.web.requests) + len(self.mail.mails)


def prove(
    site: HostileSite,
    back_ends: Sequence[BackEnd],
    traffic: HostileTraffic,
    number: int,
    *,
    on_terminal: bool = False,
) -> Counter[str]:
    """Takes ordinary packets, then so many hostile ones; the last of them are planned and run `on_terminal`, or not."""
    show = site.shown if on_terminal else site.command
    before = [back_end.look() for back_end in back_ends]
    site.load(ordinary())
    logged = site.run_into_log()
    for left in range(number - LOOKED_AT, 0, -ROUND):
        site.load([traffic.packet() for _ in range(min(ROUND, left))])
        logged += site.run_into_log()
        site.refuse()
    site.load([traffic.packet() for _ in range(LOOKED_AT)])
    show("dry-run")
    site.command("dry-run", "--format", "json")
    show("run")
    with site.database() as database:
        statuses = _statuses(database)
        _check_back_ends(database, back_ends, before)
    _look_around(site, show, sorted(statuses))
    site.canaries.check()
    assert set(statuses.values()) <= ENDED, Counter(statuses.values())
    assert {fields["status"] for fields in logged} <= ENDED
    assert {int(fields["packet"]) for fields in logged} <= statuses.keys()
    assert site.check_messages() > number / 3
    return Counter(statuses.values())


def _look_around(site: HostileSite, show: Callable[..., object], ids: Sequence[int]) -> None:
    """What people read of packets: on a terminal, and elsewhere."""
    show("status", "--all")
    show("show", ids[-1])
    show("explain", ids[-2])
    for words in (("registry", "show"), ("messages", "list"), ("show", ids[-3]), ("explain", ids[-4])):
        site.command(*words)


def _statuses(database: Database) -> dict[int, str]:
    work = own_tables.work
    with database.read() as connection:
        return {
            row.packet_rec_id: row.status for row in connection.execute(select(work.c.packet_rec_id, work.c.status))
        }


def _check_back_ends(database: Database, back_ends: Sequence[BackEnd], before: Sequence[Mapping[str, Any]]) -> None:
    """Each holds what it held, changed as the journal says, change by change, and nothing else."""
    for back_end, held in zip(back_ends, before, strict=True):
        foretold = dict(held)
        made = 0
        for change in _changes(database, back_end.kinds):
            foretold = back_end.foretell(foretold, change)
            made += 1
        now = back_end.look()
        differing = {name for name in {*now, *foretold} if now.get(name) != foretold.get(name)}
        assert not differing, [(name, foretold.get(name), now.get(name)) for name in sorted(differing)][:5]
        assert made > 10, back_end


def _changes(database: Database, kinds: frozenset[str]) -> list[dict[str, Any]]:
    step = own_tables.step
    query = select(step.c.changes).where(step.c.kind.in_(kinds), step.c.state == "done")
    with database.read() as connection:
        rows = connection.scalars(query.order_by(step.c.started_at)).all()
    return [change for row in rows for change in from_json(row) or ()]


PLAIN_LOGIN = re.compile(r"[a-z][a-z0-9]{1,15}")
PLAIN_GROUP = re.compile(r"[a-z][a-z0-9_.@+-]{0,31}\$?")
