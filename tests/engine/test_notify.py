"""Messages of rules: made at the outcome, queued with its commit, once for a packet, rule and outcome."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, select

from amierules.database import own_tables
from amierules.database.connection import Database
from amierules.database.rows import Project
from amierules.engine.message import Message
from amierules.engine.messages import messages_without_pass
from amierules.engine.overdue_notices import OverdueNotices
from amierules.engine.site import Site
from tests.support.outbox import queued, texts
from tests.support.sites import (
    MakeSite,
    decision,
    events_of,
    know,
    load,
    make_site,
    plan,
    rac,
    rpi,
    run,
    set_clock,
    status_of,
)

HEAD = "packet: request_project_inactivate\nrules:\n  - name: first\n"
TELL = "    notify: [{slack: {text: 'told of {{ packet.ProjectID }}'}}]\n"
REPLY = "    reply: {copy: [ProjectID, ResourceList]}\n"
OUTCOMES = {
    "reply": REPLY,
    "complete": "    complete: it is over\n",
    "ignore": "    ignore: not ours\n",
    "defer": "    defer: not yet\n",
    "hold": "    hold: shall it be\n",
    "fail": "    fail: we will not\n",
}


def _notify(text: str, outcome: str = REPLY) -> str:
    return f"{HEAD}{outcome}    notify:\n{text}"


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_may_have_a_message(make: MakeSite, outcome: str) -> None:
    site = make(HEAD + OUTCOMES[outcome] + TELL)
    (packet,) = load(site, rpi())
    run(site)
    (message,) = queued(site, packet)
    assert (message.channel, message.source, message.rule, message.outcome) == ("slack", "rule", "first", outcome)
    assert (message.state, message.attempts, message.reason) == ("queued", 0, None)
    assert texts(site, packet) == ["told of P-XYZ259276"]


def test_it_is_told_once_however_often_the_packet_is_deferred(any_database: Database, tmp_path: Path) -> None:
    site = make_site(any_database, tmp_path, {"a.yaml": HEAD + OUTCOMES["defer"] + TELL})
    (packet,) = load(site, rpi())
    for _ in range(3):
        run(site)
        assert status_of(site, packet) == "deferred"
        set_clock(site, later=timedelta(hours=2))
    assert len(queued(site, packet)) == 1


def test_another_rule_and_another_packet_have_messages_of_their_own(make: MakeSite) -> None:
    second = "  - name: second\n" + OUTCOMES["hold"] + TELL
    site = make(HEAD + OUTCOMES["hold"] + TELL + second)
    packet, other = load(site, rpi(), rpi())
    run(site)
    decision(site, packet, "approve")
    run(site)
    assert [(one.rule, one.outcome) for one in queued(site, packet)] == [("first", "hold"), ("second", "hold")]
    assert len(queued(site, other)) == 1


def test_a_message_sees_the_names_as_the_actions_left_them(make: MakeSite) -> None:
    actions = (
        "    actions:\n"
        "      - {name: ask, register: said, command: {run: [echo, hello], read_only: true}}\n"
        "      - {name: make, person: {attributes: {FirstName: Bo}, login_from: [bo]}}\n"
    )
    text = "      - slack: {text: '{{ person.login }} {{ said.stdout }} {{ rule }} {{ status }}'}\n"
    site = make(_notify(text, actions + REPLY))
    (packet,) = load(site, rpi())
    run(site)
    assert texts(site, packet) == ["bo hello first done"]


def test_when_and_for_each(make: MakeSite) -> None:
    text = (
        "      - slack: {text: 'to {{ item }}', channel: '{{ item }}'}\n"
        "        for_each: \"['a', 'b', 'c']\"\n        when: item != 'b'\n"
        "      - {slack: {text: never}, when: packet.ProjectID == 'P-2'}\n"
    )
    site = make(_notify(text))
    (packet,) = load(site, rpi())
    run(site)
    assert [(one.position, one.target) for one in queued(site, packet)] == [("0[0]", "a"), ("0[2]", "c")]
    assert texts(site, packet) == ["to a", "to c"]


def test_the_parameters_of_each_channel(make: MakeSite) -> None:
    text = (
        "      - mail: {to: 'a@x.example', cc: [b@x.example], reply_to: c@x.example, subject: \"x\\ny\", text: T}\n"
        "      - mail: {to: [a@x.example, 'Bo <b@x.example>'], text: T}\n"
        "      - webhook: {url: 'http://x.example/', method: PUT, headers: {X-A: b}, "
        "json: {a: [1, true, '{{ packet.ProjectID }}']}}\n"
    )
    site = make(_notify(text))
    (packet,) = load(site, rpi())
    run(site)
    first, second, hook = (one.content for one in queued(site, packet))
    assert first == {
        "to": ["a@x.example"],
        "cc": ["b@x.example"],
        "reply_to": "c@x.example",
        "subject": "x y",
        "text": "T",
    }
    assert second["subject"] == f"TESTSITE: request_project_inactivate {packet}, done".replace("TESTSITE", site.name)
    assert hook == {
        "url": "http://x.example/",
        "method": "PUT",
        "headers": {"X-A": "b"},
        "json": {"a": [1, True, "P-XYZ259276"]},
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("      - slack: {text: '{{ packet.Comment }} x'}\n", "none"),
        ("      - slack: {text: '{{ packet.Comment }}'}\n", "the text is none"),
        ("      - mail: {to: nobody, text: x}\n", "'nobody' is no mail address"),
        ('      - mail: {to: "a@x.example\\nBcc: b@x.example", text: x}\n', "is no mail address"),
        ("      - webhook: {url: 'ftp://x.example', text: x}\n", "is no address of http or https"),
        ("      - webhook: {url: 'http://x.example', headers: {A: \"b\\r\\nC: d\"}, text: x}\n", "cannot be a header"),
        ("      - {slack: {text: x}, for_each: packet.ProjectID}\n", "must yield a list"),
        ("      - {slack: {text: x}, when: packet.ProjectID > 1}\n", "compare"),
        (
            "      - {slack: {text: x}, when: \"(secret.gone or 'x') == 'x'\"}\n",
            "the secret gone cannot be read",
        ),
        ("      - slack: {text: '{{ secret.known }}'}\n", "text: must not be a secret"),
        ("      - slack: {text: '{{ person }}'}\n", "must be a text"),
        ("      - webhook: {url: 'http://x.example', json: {a: '{{ person }}'}}\n", "a row of the registry"),
        ("      - slack: {template: nowhere.txt.j2}\n", "there is no template nowhere.txt.j2"),
        ("      - slack: {template: broken.txt.j2}\n", "'}}' is expected"),
    ],
)
def test_a_message_that_cannot_be_made_holds_nothing_up(
    make: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    monkeypatch.setenv("KNOWN", "hush")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "broken.txt.j2").write_text("{{ packet.ProjectID", encoding="utf-8")
    secrets = {"known": {"env": "KNOWN"}, "gone": {"env": "AMIERULES_NO_SUCH_VARIABLE"}}
    made = "    actions: [{name: make, person: {attributes: {FirstName: Bo}, login_from: [bo]}}]\n"
    # What is wrong in a template breaks no rule; all else is silenced by comments.
    site = make(_notify(text, made + REPLY), secrets=secrets, may_be_broken="template" in text)
    (packet,) = load(site, rpi())
    run(site)
    assert status_of(site, packet) == "done"
    (message,) = queued(site, packet)
    assert (message.state, message.content) == ("failed", None)
    assert reason in (message.reason or "")
    assert reason in " ".join(event.why for event in events_of(site, packet) if event.what == "noticed")


def test_a_template_of_the_site_comes_before_a_shipped_one(make: MakeSite, tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    own = (
        "{# ours #}{% for one in packet.ResourceList %}{{ loop.index }} {{ one }}{% endfor %}{% if true %}!{% endif %}"
    )
    (tmp_path / "templates" / "account_created.txt.j2").write_text(own + "\n", encoding="utf-8")
    text = (
        "      - slack: {template: account_created.txt.j2}\n"
        "      - mail: {to: a@x.example, template: needs_a_person.txt.j2}\n"
    )
    site = make(_notify(text))
    (packet,) = load(site, rpi())
    run(site)
    first, second = texts(site, packet)
    assert first == "1 alpha.example!".replace("alpha.example", stored_resource(site, packet))
    assert f"packet {packet} (request_project_inactivate" in second
    assert second.endswith("\n")


def stored_resource(site: Site, packet: int) -> str:
    query = select(own_tables.work.c.resource).where(own_tables.work.c.packet_rec_id == packet)
    with site.database.read() as connection:
        return str(connection.scalar(query))


def test_what_a_rule_says_of_its_outcome_is_not_said_where_the_packet_is_parked(make: MakeSite) -> None:
    rules = "packet: request_account_create\nrules:\n  - name: first\n    reply: {copy: [ResourceList]}\n"
    text = "    notify: [{slack: {text: answered}}]\n"
    site = make(rules + text, notify={"parked": [{"slack": {"text": "parked: {{ reason }}"}}]})
    (packet,) = load(site, rac())
    run(site)
    (message,) = queued(site, packet)
    assert (message.source, message.outcome) == ("status", "parked")
    assert message.content["text"].startswith("parked: ")


@pytest.mark.parametrize(("where", "number"), [("before settling", 0), ("after settling", 1)])
def test_it_is_queued_with_the_outcome_or_not_at_all(make: MakeSite, where: str, number: int) -> None:
    class Crash(BaseException):
        pass

    def crash(point: str) -> None:
        if point == where:
            raise Crash

    site = make(HEAD + REPLY + TELL)
    (packet,) = load(site, rpi())
    with pytest.raises(Crash):
        run(site, crash_point=crash)
    assert len(queued(site, packet)) == number
    run(site)
    assert len(queued(site, packet)) == 1


def test_no_secret_is_in_the_outbox(make: MakeSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", "https://hook.example/T0/very-secret")
    monkeypatch.setenv("TOKEN", "tok-4711")
    text = (
        "      - slack: {webhook: '{{ secret.hook }}', text: x}\n"
        "      - webhook: {url: '{{ secret.hook }}/more', headers: {Authorization: 'Bearer {{ secret.token }}'}, "
        "json: {key: '{{ secret.token }}', list: ['{{ secret.token }}']}}\n"
    )
    site = make(_notify(text), secrets={"hook": {"env": "HOOK"}, "token": {"env": "TOKEN"}})
    (packet,) = load(site, rpi())
    (report,) = plan(site)
    assert "secret" not in repr([message.as_json() for message in report.messages]).replace("a secret address", "")
    run(site)
    slack, hook = queued(site, packet)
    assert (slack.state, hook.state) == ("queued", "queued")
    with site.database.read() as connection:
        for table in own_tables.metadata.sorted_tables:
            for row in connection.execute(select(table)):
                assert "very-secret" not in repr(row)
                assert "tok-4711" not in repr(row)


def test_a_dry_run_shows_what_would_be_queued_and_queues_nothing(make: MakeSite) -> None:
    actions = "    actions:\n      - {name: make, person: {attributes: {FirstName: Bo}, login_from: [bo]}}\n"
    site = make(
        _notify("      - slack: {channel: '#a', text: 'login {{ person.uid }}'}\n", actions + REPLY),
        notify={"done": [{"mail": {"to": "a@x.example", "text": "{{ status }}"}}]},
    )
    (packet,) = load(site, rpi())
    (report,) = plan(site)
    of_rule, of_status = [message.as_json() for message in report.messages]
    assert (of_rule["state"], of_rule["target"], of_rule["of"]) == ("queue", "#a", "rule")
    assert of_rule["content"]["text"] == {"unknown": "make", "expected": "login 20000"}
    assert (of_status["of"], of_status["content"]["text"]) == ("status", "done")
    assert queued(site, packet) == []


def test_a_dry_run_leaves_out_what_was_queued_before(make: MakeSite) -> None:
    site = make(HEAD + OUTCOMES["defer"] + TELL)
    load(site, rpi())
    assert [len(report.messages) for report in plan(site)] == [1]
    run(site)
    assert [len(report.messages) for report in plan(site)] == [0]


def test_the_shipped_templates_say_something_of_an_account(make: MakeSite) -> None:
    rules = (
        "packet: request_account_create\nrules:\n  - name: a person must approve\n"
        "    when: packet.UserFirstName == 'nobody'\n    hold: x\n"
        "    notify: [{mail: {to: a@x.example, template: please_approve.txt.j2}}]\n"
        "  - name: made\n    actions:\n"
        "      - {name: p, person: {attributes: '{{ subject }}', login_from: [bo]}}\n"
        "      - {name: a, account: {person: '{{ person }}', project: '{{ project }}', active: true}}\n"
        "    hold: look\n"
    ).replace("    hold: look\n", ANSWER)
    site = make(rules)
    know(site, Project("p", project_id="P-1", grant_number="G-1", group="g1", gid=30001))
    (packet,) = load(site, rac({"GrantNumber": "G-1"}))
    run(site)
    (text,) = texts(site, packet)
    assert "has the login bo on " in text
    assert text.endswith(", project P-1.")


ANSWER = """\
    reply:
      copy: [UserFirstName, UserLastName, UserOrganization, UserOrgCode, ResourceList]
      fields:
        ProjectID: "{{ project.project_id }}"
        UserPersonID: "{{ person.person_id }}"
        UserRemoteSiteLogin: "{{ person.login }}"
    notify: [{slack: {template: account_created.txt.j2}}]
"""


# ------------------------------------------------------------------ by status


def _by_status(*statuses: str) -> Mapping[str, object]:
    text = "{{ header.type }} {{ status }} {{ rule or 'no rule' }}: {{ reason }}"
    return {status: [{"slack": {"text": text}}] for status in statuses}


def test_a_reply_that_is_overdue_is_told_of_once(make: MakeSite) -> None:
    text = "{{ status }}: {{ reason }}"
    site = make(HEAD + OUTCOMES["hold"], notify={"overdue": [{"slack": {"text": text}}]})
    (packet,) = load(site, rpi())
    set_clock(site, at=datetime(2026, 2, 2, tzinfo=UTC))
    run(site)
    assert texts(site, packet) == []
    for _ in range(2):
        set_clock(site, later=timedelta(days=200))
        run(site)
        (said,) = texts(site, packet)
    assert said.startswith("overdue: we owe a reply since 20")


def test_of_what_is_overdue_nothing_is_written_while_there_is_nothing_to_tell(
    make: MakeSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    notice = {"slack": {"text": "late"}, "when": "(now() ~ '') >= '2027-06-01'"}
    site = make(HEAD + OUTCOMES["hold"], notify={"overdue": [notice]})
    (packet,) = load(site, rpi())
    set_clock(site, at=datetime(2027, 5, 31, 23, 30, tzinfo=UTC))
    run(site)
    asked: list[str] = []

    def messages(site: Site, connection: Connection, number: int, status: str, reason: str) -> list[Message]:
        asked.append(status)
        return messages_without_pass(site, connection, number, status, reason)

    monkeypatch.setattr("amierules.engine.overdue_notices.messages_without_pass", messages)
    notices = OverdueNotices()
    with monkeypatch.context() as patch:
        patch.setattr(site.database, "begin", lambda: pytest.fail("it is written"))
        notices.queue(site)
        notices.queue(site)
    assert asked == ["overdue"]
    set_clock(site, later=timedelta(minutes=59))
    notices.queue(site)
    assert texts(site, packet) == []
    set_clock(site, later=timedelta(minutes=2))
    notices.queue(site)
    assert texts(site, packet) == ["late"]


def test_a_packet_of_ours_that_nobody_answers_is_told_of(make: MakeSite) -> None:
    fields = "{PersonID: '7', PrimaryPersonID: '8'}"
    send = f"    actions: [{{name: tell, send_packet: {{type: notify_person_ids, fields: {fields}}}}}]\n"
    site = make(HEAD + send + REPLY, notify={"overdue": [{"slack": {"text": "{{ header.type }}: {{ reason }}"}}]})
    (packet,) = load(site, rpi())
    run(site)
    set_clock(site, later=timedelta(days=400))
    run(site)
    with site.database.read() as connection:
        ours = connection.scalars(select(own_tables.outbox.c.packet_rec_id)).all()
    assert packet not in ours
    said = [text.split(" since")[0] for one in ours for text in texts(site, one)]
    assert "notify_person_ids: the other side owes a reply" in said


ALL = ("arrived", "parked", "in_doubt", "held", "deferred", "failed", "done")
TYPE = "request_project_inactivate"


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        ("reply", f"{TYPE} done first:"),
        ("complete", f"{TYPE} done first: it is over"),
        ("ignore", None),
        ("defer", f"{TYPE} deferred first: not yet"),
        ("hold", f"{TYPE} held first: shall it be"),
        ("fail", f"{TYPE} failed first: we will not"),
    ],
)
def test_the_configuration_tells_by_status(make: MakeSite, outcome: str, said: str | None) -> None:
    site = make(HEAD + OUTCOMES[outcome], notify=_by_status(*ALL))
    (packet,) = load(site, rpi())
    run(site)
    arrived, *rest = texts(site, packet)
    assert arrived == f"{TYPE} arrived no rule:"
    assert rest == ([said] if said else [])


def test_somebody_hears_of_a_packet_that_no_rule_matched(make: MakeSite) -> None:
    site = make(HEAD + "    when: packet.ProjectID == 'P-2'\n" + REPLY, notify=_by_status("parked"))
    (packet,) = load(site, rpi())
    (other,) = load(site, rac())
    run(site)
    (said,) = texts(site, packet)
    assert said.startswith(f"{TYPE} parked no rule: no rule")
    assert len(texts(site, other)) == 1


def test_somebody_hears_of_a_malformed_packet(make: MakeSite) -> None:
    site = make(HEAD + REPLY, notify=_by_status("parked", "arrived"))
    (packet,) = load(site, rpi({"ProjectID": ""}))
    run(site)
    assert [one.outcome for one in queued(site, packet)] == ["arrived", "parked"]


def test_what_a_person_decides_is_told_too(make: MakeSite) -> None:
    site = make(HEAD + OUTCOMES["hold"], notify=_by_status("held", "failed", "done"))
    packet, other = load(site, rpi(), rpi())
    run(site)
    decision(site, packet, "fail", "no such thing")
    decision(site, other, "retry")
    decision(site, other, "hold", "wait for me")
    assert texts(site, packet)[1] == f"{TYPE} failed first: no such thing"
    assert [one.outcome for one in queued(site, other)] == ["held"]


def test_a_step_in_doubt_is_told_of(make: MakeSite, tmp_path: Path) -> None:
    class Crash(BaseException):
        pass

    def crash(point: str) -> None:
        if point.startswith("after effect"):
            raise Crash

    actions = f"    actions:\n      - {{name: e, command: {{run: [touch, {tmp_path}/x]}}}}\n"
    site = make(HEAD + actions + REPLY, notify=_by_status("in_doubt"))
    (packet,) = load(site, rpi())
    with pytest.raises(Crash):
        run(site, crash_point=crash)
    run(site)
    assert status_of(site, packet) == "in_doubt"
    assert len(texts(site, packet)) == 1


def test_each_element_of_a_list_gets_a_message_by_status(make: MakeSite) -> None:
    notify = {"done": [{"slack": {"text": "{{ item }}"}, "for_each": "['a', 'b']", "when": "item != 'a'"}]}
    site = make(HEAD + REPLY, notify=notify)
    (packet,) = load(site, rpi())
    run(site)
    assert texts(site, packet) == ["b"]
