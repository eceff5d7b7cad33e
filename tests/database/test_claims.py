"""Claims: who has what to himself, and which packet waits for which."""

import ctypes
import fcntl
import multiprocessing
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import combinations

import pytest
from sqlalchemy import make_url, text

from amierules.database import engines
from amierules.database.ahead import Ahead
from amierules.database.claims import Claims, PostgresClaims, SharedKeys, claims_for, lock_number
from amierules.database.connection import Database
from amierules.database.notices import Bell, Listener, listening
from amierules.database.ownership import LostOwnership
from amierules.diagnostics import Unavailable
from tests.support.deaths import in_process
from tests.support.postgres import PostgresServer
from tests.support.real import require_root

_CLONE_NEWNET, _SIOCSIFFLAGS = 0x40000000, 0x8914


@pytest.fixture
def two(database: Database) -> Iterator[tuple[Claims, Claims]]:
    shared = SharedKeys()
    with claims_for(database, shared) as one, claims_for(database, shared) as other:
        yield one, other


def test_a_key_is_one_worker_s_until_it_is_released(two: tuple[Claims, Claims]) -> None:
    one, other = two
    assert one.try_claim({"trans:1", "grant:A"})
    assert one.held == {"trans:1", "grant:A"}
    assert not other.try_claim({"grant:A", "trans:2"})
    assert other.held == frozenset()
    one.release()
    assert one.held == frozenset()
    assert other.try_claim({"grant:A", "trans:2"})


def test_a_claim_is_all_or_none(two: tuple[Claims, Claims]) -> None:
    one, other = two
    assert one.try_claim({"b"})
    for keys in ({"a", "b"}, {"b", "c"}, {"a", "b", "c"}):
        assert not other.try_claim(keys)
    assert one.try_claim({"a", "c"})
    assert one.held == {"a", "b", "c"}


def test_a_claim_may_grow_and_a_refused_one_keeps_what_was_held(two: tuple[Claims, Claims]) -> None:
    one, other = two
    assert one.try_claim({"a"})
    assert other.try_claim({"b"})
    assert not one.try_claim({"a", "b", "c"})
    assert one.held == {"a"}
    assert one.try_claim({"a", "c"})
    assert not other.try_claim({"a"})


def test_one_release_frees_a_key_that_was_claimed_twice(two: tuple[Claims, Claims]) -> None:
    one, other = two
    assert one.try_claim({"a"})
    assert one.try_claim({"a", "b"})
    one.release({"a", "unknown"})
    assert one.held == {"b"}
    assert other.try_claim({"a"})
    assert not other.try_claim({"b"})


def test_no_keys_are_always_free(two: tuple[Claims, Claims]) -> None:
    assert two[0].try_claim(set())
    two[0].release()
    two[0].release({"a"})
    two[0].check()


def test_claims_end_with_their_worker(database: Database) -> None:
    shared = SharedKeys()
    with claims_for(database, shared) as one:
        assert one.try_claim({"a"})
    with claims_for(database, shared) as other:
        # A server ends a session some moments after its client has gone.
        until = time.monotonic() + 30
        while not other.try_claim({"a"}):
            assert time.monotonic() < until
            time.sleep(0.05)


def test_any_text_can_be_a_key(two: tuple[Claims, Claims]) -> None:
    keys = {"person:id:O'Hara %s", "person:id:\ud800", "grant:é", ""}
    assert two[0].try_claim(keys)
    assert not any(two[1].try_claim({key}) for key in keys)


def test_lock_numbers_are_the_same_everywhere_and_differ() -> None:
    # Other hosts may run another version: a change of these numbers would let two of them have one key.
    assert lock_number("trans:1") == 2373300176596198657
    numbers = [lock_number(f"trans:{number}") for number in range(2000)]
    assert len(set(numbers)) == 2000
    assert all(-(2**63) <= number < 2**63 for number in numbers)
    assert min(numbers) < 0 < max(numbers)


def test_workers_of_one_process_never_share_a_key(database: Database) -> None:
    shared, inside, clashes, claimed = SharedKeys(), set[str](), [], []
    guard = threading.Lock()

    def work(keys_in_turn: list[set[str]]) -> None:
        with claims_for(database, shared) as claims:
            for keys in keys_in_turn:
                if claims.try_claim(keys):
                    with guard:
                        clashes.append(bool(inside & keys))
                        inside.update(keys)
                        claimed.append(keys)
                    with guard:
                        inside.difference_update(keys)
                    claims.release()

    pairs = [set(pair) for pair in combinations("abcd", 2)] * 30
    threads = [threading.Thread(target=work, args=(pairs[start:] + pairs[:start],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(clashes)
    assert len(claimed) >= 30


# ------------------------------------------------------------------ PostgreSQL: other processes, lost connections


def hold(url: str, keys: set[str], holding: "multiprocessing.Queue[bool]") -> None:
    with Database.open(url, create=False) as database, claims_for(database) as claims:
        holding.put(claims.try_claim(keys))
        threading.Event().wait(60)


def test_a_key_is_free_again_when_its_process_was_killed(postgres_ready_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    holding: multiprocessing.Queue[bool] = context.Queue()
    holder = context.Process(target=hold, args=(postgres_ready_url, {"a", "b"}, holding), daemon=True)
    holder.start()
    assert holding.get(timeout=60)
    with Database.open(postgres_ready_url, create=False) as database, claims_for(database) as claims:
        assert not claims.try_claim({"b", "c"})
        holder.kill()
        holder.join(20)
        freed = threading.Event()
        for _ in range(100):
            if claims.try_claim({"b", "c"}):
                freed.set()
                break
            threading.Event().wait(0.05)
        assert freed.is_set()


def _own_network() -> None:
    """From now on this process has a network that nobody else is in, where 127.0.0.1 is up."""
    if ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network of its own")
    _set_loopback(up=True)


def _set_loopback(*, up: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        fcntl.ioctl(ours, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", int(up)))


def test_keys_are_free_again_when_their_host_says_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after a power cut: the server gets no word, and must ask."""
    require_root()
    sooner = engines._SESSION.replace("'30'", "'1'").replace("'10'", "'1'").replace("'60000'", "'3000'")
    monkeypatch.setattr(engines, "_SESSION", sooner)

    def work() -> str:
        _own_network()
        server = PostgresServer(port=5432)
        try:
            over_there = server.url().replace(f"?host={server.folder}", "?host=127.0.0.1")
            with Database.open_unchecked(over_there) as far, Database.open_unchecked(server.url()) as near:
                held, other = PostgresClaims.connect(far), PostgresClaims.connect(near)
                said = "" if held.try_claim({"a"}) and not other.try_claim({"a"}) else "not claimed"
                _set_loopback(up=False)
                until = time.monotonic() + 60
                while not said and not other.try_claim({"a"}):
                    said = "still held" if time.monotonic() > until else ""
                    time.sleep(0.1)
                other.close()
        finally:
            server.remove()
        return said

    in_process(work)


def test_a_worker_hears_that_the_host_of_its_server_says_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    require_root()
    monkeypatch.setitem(engines._POSTGRES_DEFAULTS, "tcp_user_timeout", "2000")

    def wait_for(listener: Listener) -> None:
        listener.bell.ring()
        listener.wait(0)

    def work() -> str:
        _own_network()
        server = PostgresServer(port=5432)
        try:
            far = server.url().replace(f"?host={server.folder}", "?host=127.0.0.1")
            with Database.open_unchecked(far) as database, listening(database, Bell()) as listener:
                claims = PostgresClaims.connect(database)
                heard: list[str] = []
                _set_loopback(up=False)
                for lost, ask in ((LostOwnership, claims.check), (Unavailable, lambda: wait_for(listener))):
                    asking = threading.Thread(target=_note_error, args=(ask, lost, heard), daemon=True)
                    asking.start()
                    asking.join(60)
                claims.close()
        finally:
            server.remove()
        return "" if heard == ["LostOwnership", "Unavailable"] else str(heard)

    in_process(work)


def _note_error(ask: Callable[[], object], expected: type[Exception], heard: list[str]) -> None:
    try:
        ask()
    except expected as error:
        heard.append(type(error).__name__)


def test_both_sides_hear_within_a_minute_that_a_host_is_dead() -> None:
    of_server = dict(re.findall(r"'(tcp_\w+)', '(\d+)'", engines._SESSION))
    for options in (of_server, engines._POSTGRES_DEFAULTS):
        asked = {name.removeprefix("tcp_"): value for name, value in options.items()}
        idle, interval, count = (int(asked[f"keepalives_{name}"]) for name in ("idle", "interval", "count"))
        assert idle + interval * count <= 60
        assert int(asked["user_timeout"]) <= 60_000


def test_why_the_connection_was_lost_is_told_whoever_asks_afterwards(
    postgres_server: PostgresServer, postgres_ready_url: str
) -> None:
    with Database.open(postgres_ready_url, create=False) as database, claims_for(database) as claims:
        postgres_server.end_connections(str(database.url.database))
        told = []
        for ask in (claims.check, lambda: claims.try_claim({"a"}), claims.look):
            with pytest.raises(LostOwnership) as error:
                ask()
            told.append(error.value.reason)
    assert "connection already closed" not in told[0]
    assert set(told) == {told[0]}


@pytest.mark.parametrize("what", ["try_claim", "release", "check"])
def test_a_lost_connection_is_lost_ownership(
    postgres_server: PostgresServer, postgres_ready_url: str, what: str
) -> None:
    with Database.open(postgres_ready_url, create=False) as database, claims_for(database) as claims:
        assert claims.try_claim({"a"})
        postgres_server.end_connections(str(database.url.database))
        calls: dict[str, Callable[[], object]] = {
            "try_claim": lambda: claims.try_claim({"b"}),
            "release": claims.release,
            "check": claims.check,
        }
        with pytest.raises(LostOwnership) as loss:
            calls[what]()
        assert "\n" not in loss.value.reason
        assert claims.held == frozenset()
        with pytest.raises(LostOwnership):
            claims.try_claim({"a"})
        with claims_for(database) as other:
            assert other.try_claim({"a"})


def test_claims_leave_no_transaction_open(postgres_server: PostgresServer, postgres_ready_url: str) -> None:
    with Database.open(postgres_ready_url, create=False) as database, claims_for(database) as claims:
        claims.try_claim({"a"})
        states = postgres_server.query(
            "select state from pg_stat_activity where application_name = 'amierules claims'",
        )
        assert states == [("idle",)]


def test_a_hundred_packets_can_be_claimed_at_once(postgres_ready_url: str) -> None:
    keys = {f"{kind}:{number}" for number in range(100) for kind in ("trans", "grant", "person", "project")}
    with Database.open(postgres_ready_url, create=False) as database, claims_for(database) as claims:
        assert claims.try_claim(keys)
        with claims_for(database) as other:
            assert not other.try_claim({"person:99"})
            claims.release()
            assert other.try_claim(keys)


def test_a_server_that_is_away_is_unavailable() -> None:
    with Database.open_unchecked("postgresql://user:hush@/amie?host=/nowhere") as gone:
        with pytest.raises(Unavailable) as failure:
            PostgresClaims.connect(gone)
        assert failure.value.findings[0].code == "database-unreachable"
        assert "hush" not in str(failure.value)


def test_each_of_several_parties_gets_all_of_its_keys_or_none(two: tuple[Claims, Claims]) -> None:
    one, other = two
    assert one.try_claim({"b", "e"})
    assert other.try_each([{"a", "b"}, {"c", "d"}, set(), {"e"}, {"f"}]) == [False, True, True, False, True]
    assert other.held == {"c", "d", "f"}
    assert one.try_each([{"a"}, {"b"}, {"c", "g"}]) == [True, True, False]
    assert one.held == {"a", "b", "e"}
    assert other.try_claim({"g"})


def test_what_is_given_back_soon_is_free_with_the_next_message(two: tuple[Claims, Claims]) -> None:
    one, other = two
    for give_back in (lambda: one.release({"z"}), lambda: one.try_claim({"y"}), lambda: one.release()):
        assert one.try_claim({"a", "b"})
        one.release({"a"}, soon=True)
        assert "a" not in one.held
        give_back()
        assert other.try_claim({"a"})
        other.release()
    one.release({"a", "b"}, soon=True)
    assert one.try_claim({"a", "b"})
    assert not other.try_claim({"a"})
    one.release()
    assert other.try_claim({"a", "b"})


def test_the_server_ends_no_session_of_ours_that_is_idle(postgres_server: PostgresServer, postgres_url: str) -> None:
    """As while a command runs: the claims are lost with their connection."""
    name = make_url(postgres_url).database
    postgres_server.query(f"alter database {name} set idle_session_timeout = '100ms'")
    sessions = "select application_name, count(*) from pg_stat_activity where datname = '{name}' group by 1"
    with (
        Database.open_unchecked(postgres_url) as database,
        claims_for(database) as claims,
        listening(database, bell := Bell()) as listener,
        database.kept(),
        closing(Ahead(database)) as ahead,
    ):
        with database.read() as connection:
            connection.execute(text("select 1"))
        ahead.send(["select 1"])
        ahead.wait()
        assert claims.try_claim({"a"})
        before = dict(postgres_server.query(sessions.format(name=name)))
        time.sleep(0.5)
        assert dict(postgres_server.query(sessions.format(name=name))) == before
        assert before == {"amierules": 2, "amierules claims": 1, "amierules watch": 1}
        claims.check()
        listener.wait(0)
    bell.close()
