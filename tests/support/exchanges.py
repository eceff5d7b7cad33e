"""A site that exchanges packets with a server of the tests, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from amierules.database import own_tables, packets
from amierules.database.amie_tables import STATE_NAMES, packet_tbl, transaction_depends_tbl, transaction_tbl, type_des
from amierules.database.exchange_marks import Unreadable, unreadable_packets
from amierules.database.exchange_tables import post
from amierules.database.packets import StoredPacket
from amierules.diagnostics import Finding
from amierules.engine.loading import load_files
from amierules.engine.running import Runner
from amierules.engine.site import CrashPoint, Site
from amierules.exchange.deciding import decide
from amierules.exchange.exchanger import Exchanger
from amierules.exchange.line import Results
from amierules.ports.json_service import Patience
from tests.support.json_server import JsonServer
from tests.support.sites import make_site, set_clock
from tests.support.small_central import KEY, Central

IMPATIENT = Patience(attempts=1)


def api_key_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Puts the key of the site into the environment, and no proxy."""
    monkeypatch.setenv("AMIE_KEY", KEY)
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@dataclass
class Exchange:
    """A site and the server that it exchanges packets with."""

    site: Site
    server: JsonServer
    central: Central

    def once(
        self,
        *,
        full: bool = False,
        run: bool = False,
        wait: bool = True,
        patience: Patience = IMPATIENT,
        crash_point: CrashPoint = lambda name: None,
        settle: float = 0.0,
    ) -> Results:
        """What `amierules exchange` does, or `run --exchange`; what came of it. Requests are not repeated."""
        exchanger = Exchanger(
            self.site, patience=patience, wait=lambda seconds: wait, settle=settle, crash_point=crash_point
        )
        with exchanger.opened():
            exchanger.fetch(full=full)
            if run:
                Runner(self.site, crash_point=crash_point).run()
            exchanger.post()
        (results,) = exchanger.results
        return results

    def until_quiet(self) -> None:
        """Runs and exchanges until nothing happens any more."""
        for _ in range(20):
            results = self.once(run=True)
            assert not results.trouble, results.trouble
            if not results.fetched.new and not results.posted:
                return
        raise AssertionError("it goes on for ever")

    def local(self, key: int) -> int:
        """The local packet_rec_id of a packet of the server's."""
        with self.site.database.read() as connection:
            found = packets.resolve_id(connection, f"r:{key}")
        assert found is not None, f"packet r:{key} is not here"
        return found

    def packets(self) -> list[tuple[str, str, str]]:
        """All packets here: direction, type and state, in the order of their ids."""
        query = (
            select(packet_tbl.c.outgoing_flag, type_des.c.type_name, packet_tbl.c.state_id)
            .join_from(packet_tbl, type_des, packet_tbl.c.type_id == type_des.c.type_id)
            .order_by(packet_tbl.c.packet_rec_id)
        )
        with self.site.database.read() as connection:
            return [("->" if row[0] else "<-", row[1], STATE_NAMES[row[2]]) for row in connection.execute(query)]

    def transactions(self) -> list[str]:
        """The states of all transactions."""
        query = select(transaction_tbl.c.state_id).order_by(transaction_tbl.c.trans_rec_id)
        with self.site.database.read() as connection:
            return [STATE_NAMES[state] for state in connection.scalars(query)]

    def posts(self) -> list[tuple[str, str, str | None]]:
        """What is known of each packet of ours: kind, state, reason."""
        query = select(post.c.what, post.c.state, post.c.reason).order_by(post.c.packet_rec_id)
        with self.site.database.read() as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(query)]

    def remote_keys(self) -> list[int]:
        """The keys that our packets have at the server."""
        ours = own_tables.packet.c
        query = (
            select(ours.remote_packet_rec_id)
            .join_from(own_tables.packet, packet_tbl, packet_tbl.c.packet_rec_id == ours.packet_rec_id)
            .where(packet_tbl.c.outgoing_flag == 1, ours.remote_packet_rec_id.is_not(None))
        )
        with self.site.database.read() as connection:
            return sorted(connection.scalars(query))

    def taken(self) -> list[tuple[str, int | None]]:
        """What the server has taken: type, and what it answers."""
        return [(one["type"], one["header"].get("in_reply_to")) for one in self.central.taken]

    def stored(self, key: int) -> StoredPacket:
        """A packet of the server's, as it is stored here."""
        number = self.local(key)
        with self.site.database.read() as connection:
            return packets.read_packets(connection, [number], self.site.name)[number]

    def unreadable(self) -> list[Unreadable]:
        """What the server lists and cannot be read."""
        with self.site.database.read() as connection:
            return unreadable_packets(connection)

    def later(self, **time: float) -> None:
        """Puts the clock forward."""
        set_clock(self.site, later=timedelta(**time))

    def decide(self, packet_rec_id: int, state: str) -> Finding | None:
        """What `exchange resend` and `exchange drop` do; why not, where they do not."""
        return decide(self.site, packet_rec_id, state, "because", "pat")

    def load(self, text: str) -> None:
        """What `amierules load` does."""
        loaded = load_files(self.site, [("packets.json", text.encode())])
        assert loaded.new, loaded.findings

    def depend(self, transaction: int, on: int) -> None:
        """Lets a transaction depend on another one."""
        with self.site.database.begin() as connection:
            row = {"trans_rec_id": transaction, "depends_on_trans_rec_id": on}
            connection.execute(insert(transaction_depends_tbl), [row])

    def without_server(self) -> None:
        """Exchanges packets with no section in the configuration."""
        configuration = replace(self.site.configuration, exchange=())
        Exchanger(replace(self.site, configuration=configuration)).check()

    def with_two_servers(self, rules: Any) -> Site:
        """The site with two remote sites, each with a server, or a name on it, of its own."""
        other = {"url": self.server.url, "site": "SITE7", "api_key": "{{ secret.amie }}"}
        section = {"url": self.server.url, "sites": {"TGCDB": {}, "OTHER": other}}
        folder, secrets = self.site.configuration.base, {"amie": {"env": "AMIE_KEY"}}
        names = ["TGCDB", "OTHER"]
        return make_site(self.site.database, folder, rules, exchange=section, secrets=secrets, remote_site_name=names)


def body_of(packet: dict[str, Any]) -> dict[str, Any]:
    """The body of a packet of `tests.support.amie_json`."""
    body: dict[str, Any] = packet["body"]
    return body


MakeExchange = Callable[..., Exchange]
"""Makes a site of a test's own: its rules, and what its section `exchange` has beside the address."""

ANSWER = """\
packet: request_project_inactivate
rules:
  - name: answer
    reply: {copy: [ProjectID, ResourceList]}
"""
"""A rule that answers at once."""
