"""Packets over REST, from the server to the database and back, and what becomes of the states."""

import json

import pytest

from amierules.database.connection import Database
from amierules.diagnostics import AmierulesError
from amierules.engine.sending import ToSend, send
from amierules.exchange.exchanger import Exchanger
from tests.support.exchanges import ANSWER, Exchange, MakeExchange, body_of
from tests.support.json_server import Request, Say
from tests.support.sites import configure, decision, make_site, rac, reason_of, rpc, rpi, run, status_of
from tests.support.small_central import SITE

RULES = {"a.yaml": ANSWER}
COMPLETE = "inform_transaction_complete"
SUCCESS = {"StatusCode": "Success", "DetailCode": "1", "Message": "OK"}


def test_a_project_is_created_over_rest(exchange_on_each: Exchange) -> None:
    exchange = exchange_on_each
    exchange.central.add("request_project_create", body_of(rpc()))
    exchange.until_quiet()
    assert exchange.packets() == [
        ("<-", "request_project_create", "completed"),
        ("->", "notify_project_create", "completed"),
        ("<-", "data_project_create", "completed"),
        ("->", COMPLETE, "completed"),
    ]
    assert exchange.transactions() == ["completed"]
    assert exchange.taken() == [("notify_project_create", 101), (COMPLETE, 103)]
    assert exchange.remote_keys() == [102, 104]
    assert exchange.central.twice == []


def test_what_is_listed_again_is_stored_once_and_changes_alone_are_asked_for(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES)
    exchange.central.add("request_project_inactivate", body_of(rpi()))
    first, second, third = exchange.once(), exchange.once(), exchange.once(full=True)
    assert [(one.fetched.new, one.fetched.known, one.fetched.full) for one in (first, second, third)] == [
        (1, 0, True),
        (0, 1, False),
        (0, 1, True),
    ]
    paths = [one.path for one in exchange.server.requests]
    assert paths[0] == paths[2] == f"/api/packets/{SITE}"
    assert "update_time=" in paths[1]
    assert paths[1].endswith("Z%2C")


def test_a_full_load_comes_again_after_a_while(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES, full_load="10m")
    assert exchange.once().fetched.full
    exchange.later(minutes=9)
    assert not exchange.once().fetched.full
    exchange.later(minutes=2)
    assert exchange.once().fetched.full


@pytest.mark.parametrize("shape", ["envelope", "array", "packet", "one in an envelope", "null", "empty"])
def test_every_shape_of_an_answer_is_read(make_exchange: MakeExchange, shape: str) -> None:
    exchange = make_exchange(RULES)
    key = exchange.central.add("request_project_inactivate", body_of(rpi()))
    packet = exchange.central.shown(exchange.central.packets[key])
    data: dict[str, object] = {
        "envelope": {"message": None, "result": [packet]},
        "array": [packet],
        "packet": packet,
        "one in an envelope": {"result": packet},
        "null": {"message": None, "result": None},
        "empty": {"message": None, "result": []},
    }
    exchange.central.fault = lambda request: Say(200, data[shape])
    results = exchange.once()
    assert results.trouble == ""
    assert results.fetched.new == (shape not in ("null", "empty"))


def test_the_site_may_have_another_name_at_the_server_and_see_itself_as_local(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES, site="NCSA1")
    header = {"packet_rec_id": "7", "trans_rec_id": 8, "packet_id": "0", "transaction_id": 9, "outgoing_flag": False}
    names = {"originating_site_name": "TGCDB", "local_site_name": "NCSA1", "remote_site_name": "TGCDB"}
    packet = {"type": "request_project_inactivate", "header": {**header, **names}, "body": body_of(rpi())}
    exchange.central.fault = lambda request: Say(200, {"result": [packet]})
    assert exchange.once().fetched.new == 1
    (request,) = exchange.server.requests
    assert (request.path, request.headers["XA-SITE"]) == ("/api/packets/NCSA1", "NCSA1")


def test_raw_json_and_unknown_tags_and_types_are_kept(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES)
    body = {**body_of(rpi()), "ProposalNumber": "P-1", "Empty": "", "ServiceUnitsRemaining": 1.50}
    key = exchange.central.add("request_project_inactivate", body)
    exchange.central.add("request_a_sandwich", {"With": "cheese"})
    results = exchange.once()
    assert (results.fetched.new, results.fetched.kept) == (1, 1)
    assert exchange.once(full=True).fetched.known == 2
    stored = exchange.stored(key)
    assert stored.packet.body["ProposalNumber"] == "P-1"
    assert stored.packet.raw is not None
    assert stored.packet.raw["body"] == body


def test_a_packet_that_cannot_be_read_keeps_no_other_out_and_is_shown(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES)
    exchange.central.add("request_project_inactivate", body_of(rpi()), outgoing_flag=7)
    exchange.central.add("request_project_inactivate", body_of(rpi()), remote_site_name="Elsewhere")
    exchange.central.add("request_project_inactivate", {"ProjectID": "a\0b"})
    good = exchange.central.add("request_project_inactivate", body_of(rpi()))
    first, second = exchange.once(), exchange.once(full=True)
    assert (first.fetched.new, first.fetched.unreadable, len(first.fetched.findings)) == (1, 3, 3)
    assert (second.fetched.unreadable, second.fetched.findings) == (3, []), "it is told once"
    assert [one.key for one in exchange.unreadable()] == ["101", "102", "103"]
    assert exchange.local(good)
    for key in (101, 102, 103):
        del exchange.central.packets[key]
    exchange.later(minutes=1)
    exchange.once(full=True)
    assert exchange.unreadable() == []


def test_what_the_database_refuses_keeps_no_other_out(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES)
    keys = [exchange.central.add("request_project_inactivate", body_of(rpi())) for _ in range(3)]
    for key in keys[:2]:  # the same subtag twice: the table allows one
        exchange.central.packets[key]["body"]["X" * 33] = "too long a tag"
    assert (exchange.once().fetched.new, len(exchange.unreadable())) == (1, 2)


def test_a_server_that_is_away_leaves_all_in_the_database(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES)
    exchange.central.add("request_project_inactivate", body_of(rpi()))
    exchange.once()
    run(exchange.site)
    for wrong in (Say(500), Say(401, {"message": "who are you?"}), Say(404), Say(cut="before"), Say(200, body=b"")):
        exchange.central.fault = lambda request, wrong=wrong: wrong  # type: ignore[misc]
        results = exchange.once()
        assert results.trouble
        assert (results.waiting, exchange.posts()) == (1, [])
    exchange.central.fault = lambda request: None
    results = exchange.once()
    assert (results.trouble, results.waiting, results.count("sent")) == ("", 0, 1)


def test_a_refused_reply_is_shown_and_sent_again_when_a_person_says_so(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES)
    key = exchange.central.add("request_project_inactivate", body_of(rpi()))
    exchange.central.fault = lambda request: Say(400, {"message": "bad ID"}) if request.method == "POST" else None
    results = exchange.once(run=True)
    assert (results.count("refused"), results.waiting) == (1, 0)
    assert exchange.posts() == [("reply", "refused", "the answer is 400: bad ID")]
    exchange.central.fault = lambda request: None
    assert exchange.once(run=True).posted == []
    assert exchange.decide(2, "waiting") is None
    assert exchange.once().count("sent") == 1
    assert exchange.taken() == [("notify_project_inactivate", key)]


def test_a_packet_that_is_forbidden_waits_and_keeps_no_other_up(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES)
    keys = [exchange.central.add("request_project_inactivate", body_of(rpi())) for _ in range(3)]

    def forbid(request: Request) -> Say | None:
        first = request.method == "POST" and json.loads(request.body)["header"]["in_reply_to"] == keys[0]
        return Say(403, {"message": "not this one"}) if first else None

    exchange.central.fault = forbid
    results = exchange.once(run=True)
    assert (results.trouble, results.count("sent"), results.waiting) == ("", 2, 1)
    assert exchange.posts()[0] == ("reply", "waiting", "the answer is 403: not this one")
    exchange.central.fault = lambda request: None
    assert exchange.once().count("sent") == 0
    exchange.later(minutes=1)
    assert exchange.once().count("sent") == 1


def test_what_is_dropped_is_not_sent(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES)
    exchange.central.add("request_project_inactivate", body_of(rpi()))
    exchange.once()
    run(exchange.site)
    assert exchange.decide(2, "dropped") is None
    assert (exchange.once().waiting, exchange.taken()) == (0, [])
    for number, state, said in (
        (1, "waiting", "not written"),
        (2, "dropped", "already"),
        (9, "waiting", "no packet"),
    ):
        refused = exchange.decide(number, state)
        assert refused is not None
        assert said in refused.message
    assert exchange.decide(2, "waiting") is None
    exchange.once()
    refused = exchange.decide(2, "waiting")
    assert refused is not None
    assert "was sent" in refused.message


def test_a_transaction_of_ours_goes_over_rest_under_the_number_that_the_server_gives_it(exchange: Exchange) -> None:
    for tells in (True, False):
        exchange.central.tells_keys = tells
        fields = {"ActionType": "replace", "PersonID": "20001", "Email": "new@site.example"}
        made, _, _ = send(exchange.site, ToSend("notify_user_modify", fields, None, ""))
        assert exchange.once().count("sent") == 1
        posted = exchange.central.taken[-1]
        assert (posted["type"], posted["header"].get("in_reply_to")) == ("notify_user_modify", None)
        ours = max(exchange.central.packets)
        header = exchange.central.packets[ours]["header"]
        same = {name: header[name] for name in ("trans_rec_id", "transaction_id", "originating_site_name")}
        assert header["transaction_id"] != made.transaction_id
        exchange.central.add(COMPLETE, SUCCESS, **same)
        exchange.until_quiet()
    assert exchange.packets() == 2 * [("->", "notify_user_modify", "completed"), ("<-", COMPLETE, "completed")]
    assert exchange.transactions() == ["completed", "completed"]


@pytest.mark.parametrize(
    ("acknowledge", "expected", "times"),
    [("expected", False, 0), ("expected", True, 1), ("always", False, 1), ("never", True, 0)],
)
def test_a_listed_complete_is_acknowledged_as_the_configuration_says(
    make_exchange: MakeExchange, acknowledge: str, expected: bool, times: int
) -> None:
    exchange = make_exchange(acknowledge=acknowledge)
    replies = [{"type": COMPLETE, "timeout": 30240}] if expected else []
    exchange.central.add(COMPLETE, SUCCESS, expected_reply_list=replies)
    exchange.until_quiet()
    exchange.until_quiet()
    assert exchange.taken() == times * [(COMPLETE, 101)]
    assert exchange.transactions() == ["completed"]


def test_the_status_here_is_shown_at_the_server_where_that_is_wanted(make_exchange: MakeExchange) -> None:
    rules = {
        "a.yaml": ANSWER.replace("    reply:", "    when: packet.Comment == 'go'\n    reply:")
        + "  - {name: ask, hold: 'why?'}\n"
    }
    exchange = make_exchange(rules, client_state=True)
    held = exchange.central.add("request_project_inactivate", body_of(rpi()))
    done = exchange.central.add("request_project_inactivate", body_of(rpi({"Comment": "go"})))
    for _ in range(3):
        exchange.once(run=True)
    assert exchange.central.states == {held: ["held"], done: ["done"]}
    decision(exchange.site, exchange.local(held), "fail")
    exchange.once(run=True)
    assert exchange.central.states[held] == ["held", "failed"]


def test_what_others_have_answered_or_failed_ends_here_too(make_exchange: MakeExchange) -> None:
    exchange = make_exchange({"a.yaml": "packet: request_project_inactivate\nrules:\n  - {name: ask, hold: look}\n"})
    answered, failed = (exchange.central.add("request_project_inactivate", body_of(rpi())) for _ in range(2))
    exchange.once(run=True)
    exchange.central.packets[answered]["header"]["packet_state"] = "completed"
    exchange.central.packets[failed]["header"]["transaction_state"] = "failed"
    exchange.central.touch(answered, failed)
    results = exchange.once(run=True)
    assert results.fetched.ended == 2
    assert [status_of(exchange.site, exchange.local(key)) for key in (answered, failed)] == ["done", "done"]
    assert "another program" in reason_of(exchange.site, exchange.local(answered))
    assert exchange.taken() == []


def test_a_resent_packet_takes_the_place_of_one_that_has_failed(make_exchange: MakeExchange) -> None:
    rules = {
        "a.yaml": ANSWER.replace("    reply:", "    when: packet.Comment != 'no'\n    reply:")
        + "  - {name: refuse, fail: not so}\n"
    }
    exchange = make_exchange(rules)
    old = exchange.central.add("request_project_inactivate", body_of(rpi({"Comment": "no"})))
    exchange.until_quiet()
    assert exchange.transactions() == ["failed"]
    header = exchange.central.packets[old]["header"]
    same = {name: header[name] for name in ("trans_rec_id", "transaction_id", "packet_id")}
    new = exchange.central.add("request_project_inactivate", body_of(rpi({"Comment": "yes"})), **same)
    exchange.until_quiet()
    assert exchange.local(new) == 1
    assert status_of(exchange.site, 1) == "done"
    assert exchange.taken() == [(COMPLETE, old), ("notify_project_inactivate", new)]
    assert exchange.transactions() == ["in-progress"]
    again = exchange.central.add("request_project_inactivate", body_of(rpi({"Comment": "no"})), **same)
    exchange.until_quiet()
    assert len(exchange.taken()) == 2, f"packet {again} comes over one that has not failed: it is a duplicate"


def test_a_packet_that_depends_on_another_transaction_waits_for_it(exchange: Exchange) -> None:
    fields = {"ActionType": "replace", "PersonID": "20001", "Email": "new@site.example"}
    first, second = (send(exchange.site, ToSend("notify_user_modify", fields, None, ""))[0] for _ in range(2))
    exchange.depend(first.trans_rec_id, second.trans_rec_id)
    exchange.once()
    assert exchange.remote_keys() == [101]
    header = exchange.central.packets[101]["header"]
    same = {name: header[name] for name in ("trans_rec_id", "transaction_id", "originating_site_name")}
    exchange.central.add(COMPLETE, SUCCESS, **same)
    exchange.until_quiet()
    assert exchange.transactions() == ["in-progress", "completed"]
    assert [one["type"] for one in exchange.central.taken] == 2 * ["notify_user_modify"]


def test_a_reply_to_a_packet_that_did_not_come_from_the_server_cannot_be_sent(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES)
    packet = rpi()
    del packet["header"]["packet_rec_id"]
    exchange.load(json.dumps([packet]))
    run(exchange.site)
    assert exchange.once().count("refused") == 1
    ((_, state, reason),) = exchange.posts()
    assert (state, "without a packet_rec_id" in (reason or "")) == ("refused", True)


def test_only_one_exchanges_packets_at_a_time(exchange_on_each: Exchange) -> None:
    site = exchange_on_each.site
    if site.database.is_sqlite:
        return  # there the lock of the file keeps others out
    first, second = Exchanger(site), Exchanger(site)
    with first.opened():
        with pytest.raises(AmierulesError) as raised, second.opened():
            pass
        assert raised.value.findings[0].code == "exchange-busy"
        with second.patiently_opened():
            second.before_round()
            assert exchange_on_each.server.requests == []
    with second.patiently_opened():
        second.before_round()
        assert len(exchange_on_each.server.requests) == 1


def test_tables_of_another_program_are_left_to_it(legacy_postgres_url: str, exchange: Exchange) -> None:
    with Database.open(legacy_postgres_url, create=False) as database:
        section = {"url": exchange.server.url}
        folder = exchange.site.configuration.base
        secrets = {"amie": {"env": "AMIE_KEY"}}
        site = make_site(database, folder, exchange=section, secrets=secrets)
        with pytest.raises(AmierulesError) as raised, Exchanger(site).opened():
            pass
    assert raised.value.findings[0].code == "amie-tables-found"


def test_without_a_server_nothing_is_exchanged(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES)
    configure(exchange.site.configuration.base, RULES)
    with pytest.raises(AmierulesError) as raised:
        exchange.without_server()
    assert raised.value.findings[0].code == "no-exchange"


def test_several_remote_sites_have_servers_of_their_own(make_exchange: MakeExchange) -> None:
    exchange = make_exchange(RULES)
    exchange.server.say(Say(200, []))
    both = exchange.with_two_servers(RULES)
    with Exchanger(both).opened() as exchanger:
        exchanger.fetch()
    assert [one.name for one in exchanger.results] == ["TGCDB", "OTHER"]
    assert [(one.path, one.headers["XA-SITE"]) for one in exchange.server.requests] == [
        ("/api/packets/TestSite", "TestSite"),
        ("/api/packets/SITE7", "SITE7"),
    ]


def test_accounts_follow_the_end_of_their_project_whose_answer_was_lost(exchange: Exchange) -> None:
    cuts = iter([Say(cut="before")])
    exchange.central.fault = lambda request: next(cuts, None) if COMPLETE in request.body else None
    exchange.central.add("request_project_create", body_of(rpc()))
    exchange.central.add("request_account_create", body_of(rac()))
    exchange.until_quiet()
    assert next(cuts, None) is None
    answers = ["notify_project_create", COMPLETE, "notify_account_create", COMPLETE]
    assert [one[0] for one in exchange.taken()] == answers
    assert exchange.transactions() == ["completed", "completed"]


def test_accounts_follow_their_project(exchange: Exchange) -> None:
    exchange.central.add("request_project_create", body_of(rpc()))
    exchange.until_quiet()
    exchange.central.add("request_account_create", body_of(rac()))
    exchange.until_quiet()
    assert [one[0] for one in exchange.taken()][2:] == ["notify_account_create", COMPLETE]
    assert exchange.transactions() == ["completed", "completed"]
