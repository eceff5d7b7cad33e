"""Each rule is broken by a site that does all else well; the judge names that rule, and what becomes of the packet."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from amierules.tgcdb.protocol_rules import protocol_rules
from tests.support.model_site import COMPLETE, DONE, Reply, Spoil, a_table, refused

RPC, RAC = "request_project_create", "request_account_create"


def _at(type_name: str, change: Callable[[dict[str, Any], dict[str, Any]], Any], step: int = 1) -> Spoil:
    """Changes the reply's body to the packet of this type that comes as the `step`-th of them."""
    seen = 0

    def spoil(packet: dict[str, Any], reply: str, body: dict[str, Any]) -> Reply | None:
        nonlocal seen
        seen += packet["type"] == type_name
        if packet["type"] != type_name or seen != step:
            return None
        changed = change(body, packet["body"])
        return changed if isinstance(changed, tuple) else (reply, body)

    return spoil


def _set(**tags: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda body, _: body.update(tags)


def _without(*tags: str) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    def change(body: dict[str, Any], _: dict[str, Any]) -> None:
        for tag in tags:
            del body[tag]

    return change


def _reply(type_name: str, body: Mapping[str, Any]) -> Callable[[dict[str, Any], dict[str, Any]], Reply]:
    return lambda _, __: (type_name, dict(body))


BROKEN: list[tuple[str, str, Spoil]] = [
    ("T03", "known_person", _at(RAC, lambda body, _: ("notify_project_create", body))),
    ("T04", "known_person", _at(RPC, lambda body, _: ("data_project_create", body))),
    ("T04", "known_person", _at(RPC, lambda body, _: ("notify_project_made", body))),
    ("T06", "known_person", _at(RPC, _reply(COMPLETE, DONE))),
    ("T10", "known_person", _at(RPC, _without("PiRemoteSiteLogin"))),
    ("T10", "known_person", _at("data_project_create", _without("Message"))),
    ("T11", "known_person", _at(RAC, _set(AccountActivityTime="2026-03-02T12:00:00"))),
    ("T11", "known_person", _at(RPC, _set(StartDate="2 March"))),
    ("T12", "known_person", _at("data_project_create", _set(DetailCode="0"))),
    ("T12", "known_person", _at("data_project_create", _set(StatusCode="Done"))),
    ("T13", "known_person", _at(RPC, lambda body, _: body.update(ResourceList=[*body["ResourceList"], "beta"]))),
    ("T14", "known_person", _at(RAC, _set(ResourceList=["elsewhere.example"]))),
    ("T15", "known_person", _at(RPC, _set(GrantNumber="ABC000001"))),
    ("T15", "known_person", _at(RPC, _set(PfosNumber="1"))),
    ("T16", "known_person", _at(RPC, _set(ProjectTitle="Münster"))),
    ("T17", "known_person", _at(RAC, _set(AcademicDegree=[{"Degree": "PhD"}]))),
    ("T19", "nothing_to_change", _at(RPC, _reply(*refused("failed")))),
    ("T20", "known_person", _at(RAC, _set(ProjectID="nowhere"))),
    ("T21", "allocation_types", _at(RPC, _set(ProjectID="P-2"), step=2)),
    ("T22", "known_person", _at(RPC, lambda body, _: body.update(ProjectID=f"P-{_first_grant(body)}"), step=2)),
    ("T23", "known_person", _at(RAC, lambda body, asked: body.update(ProjectID=_other_project(asked)), step=2)),
    ("T24", "repeated_record", _at(RPC, _set(PiRemoteSiteLogin="another"), step=2)),
    ("T26", "known_person", _at(RAC, _set(UserPersonID="8888"), step=2)),
    ("T27", "known_person", _at(RAC, _set(UserPersonID="7000"))),
    ("T28", "request_account_reactivate", _at("request_account_inactivate", _set(PersonID="7000"))),
    ("T29", "request_account_reactivate", _at(RAC, _set(UserRemoteSiteLogin="another"), step=2)),
    ("T30", "known_person", _at(RAC, _set(UserRemoteSiteLogin="u7000"))),
    ("T31", "later_certificates", _at(RAC, _set(UserDnList=[]), step=2)),
    ("T33", "nothing_to_change", _at(RPC, lambda _, asked: _taken_nonetheless(asked))),
    ("T34", "known_person", _at(RAC, _reply(*refused("no room for that person")))),
]  # fmt: skip


def _first_grant(body: dict[str, Any]) -> str:
    return str(body["GrantNumber"])[:-1] + "1"


def _other_project(asked: dict[str, Any]) -> str:
    return f"P-{asked['GrantNumber'][:-1]}1"


def _taken_nonetheless(asked: dict[str, Any]) -> Reply:
    return "notify_project_create", {
        **{tag: asked[tag] for tag in ("GrantNumber", "PfosNumber", "ResourceList")},
        **{"ProjectID": "P-1", "PiPersonID": "1", "PiRemoteSiteLogin": "one", "PiDnList": asked["PiDnList"]},
    }


@pytest.mark.parametrize(
    ("rule", "scenario", "spoil"),
    [pytest.param(*case, id=f"{case[0]}-{number}") for number, case in enumerate(BROKEN)],
)
def test_a_broken_rule_is_named(rule: str, scenario: str, spoil: Spoil) -> None:
    table = a_table()
    report = table.play(scenario, spoil)
    # Another login than the first time also is another login than the account has.
    assert {one.rule for one in report.violations} - ({"T29"} if rule == "T24" else set()) == {rule}
    # What is refused is mended by the second, right reply.
    finals = {line.transaction.state for line in report.lines if line.transaction.expects == "completed"}
    assert "in-progress" not in finals


def test_tags_that_no_document_knows_are_advice_alone() -> None:
    report = a_table().play("known_person", _at(RAC, _set(UserFavoriteColor="blue")))
    assert [one.rule for one in report.violations] == ["T18"]
    assert report.wrong == []


def test_an_account_before_its_project_is_finished() -> None:
    table = a_table()

    def early(packet: dict[str, Any], reply: str, body: dict[str, Any]) -> Reply | None:
        grant, resource = packet["body"].get("GrantNumber"), packet["body"].get("ResourceList", [""])[0]
        if packet["type"] == RPC:
            # The site takes the project for finished as soon as it has answered.
            table.site.ended.add((grant, resource))
        return None

    assert [one.rule for one in table.play("account_before_project", early).wrong] == ["T32"] * 1


def test_a_second_reply_and_one_to_a_packet_that_was_never_sent() -> None:
    table = a_table()
    table.play("known_person")
    (ended,) = {one["header"]["packet_rec_id"] for one in table.waiting()} or {None}
    assert ended is None
    first = _first_packet(table)
    assert [one.rule for one in table.send(first, COMPLETE, DONE).violations] == ["T02"]
    assert [one.rule for one in table.send(5, COMPLETE, DONE).violations] == ["T01"]


def test_a_reply_in_a_transaction_that_the_site_has_failed() -> None:
    table = a_table()
    table.central.agenda.begin("TestSite", "x", [{"send": RPC, "expect": None}], 1, ("alpha.site.example",))
    (packet,) = table.waiting()
    number, transaction = packet["header"]["packet_rec_id"], packet["header"]["trans_rec_id"]
    assert table.central.fail("TestSite", transaction)
    assert not table.central.fail("TestSite", transaction)
    reply = table.site.answer(packet)
    assert reply is not None
    assert [one.rule for one in table.send(number, *reply).violations] == ["T05"]


def test_the_end_of_a_transaction_may_be_acknowledged_once() -> None:
    table = a_table()
    table.play("request_project_reactivate")
    number = next(one["header"]["packet_rec_id"] for one in table.waiting() if one["type"] == COMPLETE)
    assert [one.rule for one in table.send(number, *refused("no such project here")).violations] == ["T07"]
    assert table.send(number, COMPLETE, DONE).violations == ()
    assert number not in [one["header"]["packet_rec_id"] for one in table.waiting()]
    assert [one.rule for one in table.send(number, COMPLETE, DONE).violations] == ["T07"]


def test_a_late_reply() -> None:
    table = a_table()
    steps = [{"send": RPC, "timeout": 5}]
    table.central.agenda.begin("TestSite", "x", steps, 1, ("alpha.site.example",))
    (packet,) = table.waiting()
    table.clock.at += timedelta(minutes=6)
    reply = table.site.answer(packet)
    assert reply is not None
    taken = table.send(packet["header"]["packet_rec_id"], *reply)
    assert [one.rule for one in taken.violations] == ["T35"]
    assert taken.packet_rec_id is not None


AT_ALPHA = {"ResourceList": ["alpha.site.example"], "AccountActivityTime": "2026-03-02T12:00:00Z"}
STARTED: list[tuple[str | None, str, dict[str, Any]]] = [
    (None, "notify_user_modify", {"ActionType": "replace", "PersonID": "7000", "Email": "a@b.example"}),
    (None, "notify_person_duplicate", {"PersonID1": "7000", "PersonID2": "7001"}),
    ("T08", COMPLETE, DONE),
    ("T04", "request_project_create", {}),
    ("T10", "notify_person_duplicate", {"PersonID1": "7000"}),
    ("T20", "notify_project_inactivate", {"ProjectID": "no", **AT_ALPHA}),
    ("T25", "notify_user_modify", {"ActionType": "replace", "PersonID": "no", "Email": "a@b.example"}),
    ("T36", "notify_user_modify", {"ActionType": "replace", "PersonID": "7000", "DnList": ["/CN=a"]}),
    ("T36", "notify_user_modify", {"ActionType": "delete", "PersonID": "7000", "LastName": "Sample"}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "type_name", "body"), STARTED)
def test_a_transaction_of_the_site(rule: str | None, type_name: str, body: dict[str, Any]) -> None:
    table = a_table()
    table.play("known_person")
    taken = table.send(None, type_name, body)
    assert [one.rule for one in taken.violations] == ([rule] if rule else [])
    if taken.packet_rec_id is not None:
        (end,) = [one for one in table.waiting() if one["type"] == COMPLETE]
        assert end["body"]["StatusCode"] == ("Failure" if rule else "Success")
        assert not rule or rule in end["body"]["Message"]


def test_an_account_that_is_not_there_and_a_transaction_id_used_twice() -> None:
    table = a_table()
    table.play("known_person")
    project = next(iter(table.site.projects.values()))
    body = {"ProjectID": project, "PersonID": "7002", "ResourceList": ["alpha.site.example"]}
    assert [one.rule for one in table.send(None, "notify_account_inactivate", body).violations] == ["T37"]
    duplicate = {"PersonID1": "7000", "PersonID2": "7001"}
    assert table.send(None, "notify_person_duplicate", duplicate, transaction_id=9).violations == ()
    again = table.send(None, "notify_person_duplicate", duplicate, transaction_id=9)
    assert [one.rule for one in again.violations] == ["T09"]


def test_every_rule_has_its_test() -> None:
    here = {rule for rule, _, _ in BROKEN} | {rule for rule, _, _ in STARTED if rule}
    here |= {"T01", "T02", "T05", "T07", "T09", "T18", "T32", "T35", "T37"}
    elsewhere = {"T38"} | {f"T{number}" for number in (*range(40, 45), 50, 51)}
    """Of certify, of the database front, and of the REST front."""
    assert here | elsewhere == set(protocol_rules())


def _first_packet(table: Any) -> int:
    with table.central.store.begin() as connection:
        number: int = connection.exec_driver_sql("select min(packet_rec_id) from packet").scalar_one()
    return number
