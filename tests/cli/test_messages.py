"""Messages as people and programs see them: `dry-run`, `status` and `show`."""

from pathlib import Path

import pytest

from tests.support import states
from tests.support.amie_json import rpi
from tests.support.command_line import call
from tests.support.servers import WebServer, closed_port, web_server

RULES = """\
packet: request_project_inactivate
rules:
  - name: ask
    hold: "shall {{ packet.ProjectID }} go"
    notify:
      - mail: {to: staff@site.example, template: please_approve.txt.j2}
      - slack: {text: "{{ packet.Comment or 'x' }} {{ secret.none_such }}"}
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site folder whose rule sends two messages, one of which cannot be made; with a packet."""
    folder = states.make_folder(tmp_path, {"request_project_inactivate.yaml": RULES})
    configuration = folder / "amierules.yaml"
    text = configuration.read_text(encoding="utf-8")
    text = text.replace(
        "secrets: {", "mail: {from: amie@site.example}\nsecrets: {none_such: {env: AMIERULES_NOT_SET}, "
    )
    configuration.write_text(text, encoding="utf-8")
    rules = folder / "rules" / "request_project_inactivate.yaml"
    lines = RULES.replace('none_such }}"}', 'none_such }}"}  # amierules: ignore[secret-shown]')
    rules.write_text(lines, encoding="utf-8")
    monkeypatch.chdir(folder)
    assert call("load", states.write(folder / "packets.json", rpi())).status == 0
    return folder


def test_a_dry_run_shows_them(site: Path) -> None:
    shown = call("dry-run")
    assert "@ would send mail to staff@site.example" in shown.stdout
    assert "amierules approve 1" in shown.stdout
    assert "@ a slack cannot be made: " in shown.stdout
    assert "2 messages" in shown.stderr
    (packet,) = call("dry-run", "--format", "json").json("dry-run")["packets"]
    mail, slack = packet["messages"]
    assert (mail["channel"], mail["of"], mail["state"]) == ("mail", "rule", "queue")
    assert mail["content"]["to"] == ["staff@site.example"]
    assert (slack["state"], slack["content"]) == ("failed", None)
    assert call("status", "--format", "json").json("status")["messages"] == {"queued": 0, "failed": 0, "unknown": 0}


def test_status_counts_and_show_lists_them(site: Path) -> None:
    assert call("run").status == 3
    assert call("status", "--format", "json").json("status")["messages"]["failed"] == 1
    assert "1 failed" in call("status").stderr
    shown = call("show", 1)
    assert "mail to staff@site.example, of rule 'ask'" in shown.stdout
    assert "failed   slack, of rule 'ask': " in shown.stdout
    mail, slack = call("show", 1, "--format", "json").json("show")["messages"]
    assert (mail["channel"], mail["rule"], mail["outcome"]) == ("mail", "ask", "hold")
    assert (slack["state"], slack["target"]) == ("failed", None)
    assert slack["reason"] == "text: must not be a secret"


HOOK = """\
packet: request_project_inactivate
rules:
  - name: ask
    hold: "shall {{ packet.ProjectID }} go"
    notify: [{webhook: {url: "http://127.0.0.1:%d/", text: "{{ header.packet_rec_id }}"}}]
"""


def test_a_run_sends_them(site: Path) -> None:
    with web_server() as web:
        (site / "rules" / "request_project_inactivate.yaml").write_text(HOOK % web.port, encoding="utf-8")
        assert call("run").status == 3
    assert [request["body"] for request in web.requests] == ["1"]
    (message,) = call("show", 1, "--format", "json").json("show")["messages"]
    assert (message["state"], message["target"]) == ("sent", f"http://127.0.0.1:{web.port}/")


def test_a_run_ends_well_where_nobody_takes_them(site: Path) -> None:
    (site / "rules" / "request_project_inactivate.yaml").write_text(HOOK % closed_port(), encoding="utf-8")
    assert call("run").status == 3
    (message,) = call("show", 1, "--format", "json").json("show")["messages"]
    assert (message["state"], message["attempts"]) == ("queued", 1)
    assert "1 queued" in call("status").stderr


# ------------------------------------------------------------------ by hand


def states_of() -> list[tuple[int, str]]:
    listed = call("messages", "list", "--all", "--format", "json").json("messages")["messages"]
    return [(one["message_id"], one["state"]) for one in listed]


def fail_all(web: WebServer) -> None:
    """A run whose message the other side refuses for good."""
    web.answer = lambda: 404
    assert call("run").status == 3
    web.answer = lambda: 200


def test_one_that_failed_is_sent_once_more_when_a_person_says_so(site: Path) -> None:
    with web_server() as web:
        (site / "rules" / "request_project_inactivate.yaml").write_text(HOOK % web.port, encoding="utf-8")
        fail_all(web)
        assert "1 message failed" in call("status", "--check").stdout
        assert "failed" in call("messages", "list").stdout
        assert "the answer is 404" in call("messages", "list", "--state", "failed").stdout
        assert "amierules messages list" in call("status").stderr
        assert call("run").status == 0
        assert len(web.requests) == 1
        ended = call("messages", "resend", 1, "--reason", "mended")
        assert (ended.status, ended.stdout) == (0, "message 1 is sent by the next run\n")
        assert states_of() == [(1, "queued")]
        call("run")
        assert len(web.requests) == 2
    assert states_of() == [(1, "sent")]
    assert "message" not in call("status", "--check").stdout
    events = call("show", 1, "--format", "json").json("show")["events"]
    assert [one["why"] for one in events if one["what"] == "message queued again"] == [
        f"the webhook to http://127.0.0.1:{web.port}/, which was failed: mended"
    ]


def test_one_that_may_have_arrived_may_arrive_twice(site: Path) -> None:
    with web_server() as web:
        (site / "rules" / "request_project_inactivate.yaml").write_text(HOOK % web.port, encoding="utf-8")
        web.answer = lambda: None
        assert call("run").status == 3
        web.answer = lambda: 200
        assert states_of() == [(1, "unknown")]
        assert "1 message perhaps not sent" in call("status", "--check").stdout
        assert "it may arrive twice" in call("messages", "resend", "--all", "--state", "unknown").stdout
        call("run")
    assert states_of() == [(1, "sent")]


def test_one_that_is_dropped_needs_nobody_any_more(site: Path) -> None:
    with web_server() as web:
        (site / "rules" / "request_project_inactivate.yaml").write_text(HOOK % web.port, encoding="utf-8")
        fail_all(web)
        assert call("messages", "drop", "--all", "--state", "failed").status == 0
        call("run")
        assert len(web.requests) == 1
    assert states_of() == [(1, "dropped")]
    assert "message" not in call("status", "--check").stdout
    assert call("messages", "list").stdout == ""


def test_what_waits_for_its_next_try_is_tried_at_once(site: Path) -> None:
    with web_server() as web:
        (site / "rules" / "request_project_inactivate.yaml").write_text(HOOK % web.port, encoding="utf-8")
        web.answer = lambda: 503
        assert call("run").status == 3
        web.answer = lambda: 200
        call("run")
        assert states_of() == [(1, "queued")]
        assert call("messages", "resend", 1).status == 0
        call("run")
    assert states_of() == [(1, "sent")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("resend", 2), "message 2 could not be made"),
        (("resend", 99), "there is no message 99"),
        (("resend",), "give both --all and --state"),
        (("drop", "--all"), "give both --all and --state"),
        (("drop", 1, "--all", "--state", "failed"), "give both --all and --state"),
        (("drop", "--all", "--state", "failled"), "did you mean 'failed'?"),
        (("drop", "--all", "--state", "sent"), "possible: queued, failed, unknown"),
        (("list", "--state", "unsent"), "there is no state"),
    ],
)
def test_what_cannot_be_is_refused_with_the_remedy(site: Path, words: tuple[object, ...], said: str) -> None:
    assert call("run").status == 3
    ended = call("messages", *words)
    assert ended.status == 2
    assert said in ended.stderr


def test_what_was_sent_is_settled(site: Path) -> None:
    with web_server() as web:
        (site / "rules" / "request_project_inactivate.yaml").write_text(HOOK % web.port, encoding="utf-8")
        assert call("run").status == 3
    for word in ("resend", "drop"):
        ended = call("messages", word, 1)
        assert (ended.status, "message 1 is sent" in ended.stderr) == (2, True)
