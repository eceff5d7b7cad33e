"""Messages as people and programs see them: `dry-run`, `status` and `show`."""

from pathlib import Path

import pytest

from tests.support import states
from tests.support.amie_json import rpi
from tests.support.command_line import call
from tests.support.servers import closed_port, web_server

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
    assert "AMIERULES_NOT_SET" in slack["reason"]


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
