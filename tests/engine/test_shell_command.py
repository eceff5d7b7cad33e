"""Commands with `shell: true`: what a script can do, and how a dry run shows it."""

from pathlib import Path

import pytest

from amierules.cli.plan_text import as_lines
from tests.support.sites import MakeSite, load, plan, reason_of, reply_to, rpi, run, status_of, steps_of

HEAD = "packet: request_project_inactivate\nrules:\n  - name: a\n    actions:\n"
REPLY = '    reply: {copy: [ProjectID, ResourceList], fields: {Comment: "{{ out.stdout }}"}}\n'


def _rules(command: str) -> str:
    return HEAD + f"      - name: one\n        register: out\n        command: {{shell: true, {command}}}\n" + REPLY


def test_a_script_has_pipes_globs_and_variables(make: MakeSite, tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / f"{name}.txt").touch()
    script = "X=$(ls *.txt | sort -r | tr '\\n' ' '); echo \\\"$X\\\" {{ packet.Comment }} $MORE"
    site = make(_rules(f'run: "{script}", cwd: {tmp_path}, env: {{MORE: "{{{{ packet.ProjectID }}}}"}}'))
    (packet,) = load(site, rpi({"Comment": "*  $(x)"}))
    run(site)
    assert reply_to(site, packet).packet.body["Comment"] == "c.txt b.txt a.txt  *  $(x) P-XYZ259276"


def test_a_script_may_only_look(make: MakeSite) -> None:
    site = make(_rules("run: 'exit 3', read_only: true, ok: [3]"))
    (packet,) = load(site, rpi())
    (report,) = plan(site)
    assert report.steps[0].reason == "read only"
    run(site)
    assert status_of(site, packet) == "done"


def test_a_script_has_its_guard(make: MakeSite, tmp_path: Path) -> None:
    guarded = f"run: 'echo x >> {tmp_path}/log', unless: {{run: [test, -e, {tmp_path}/log]}}"
    site = make(_rules(guarded))
    first, second = load(site, rpi(), rpi({"Comment": "c"}))
    run(site)
    assert {status_of(site, packet) for packet in (first, second)} == {"done"}
    assert (tmp_path / "log").read_text() == "x\n"


def test_a_dry_run_shows_the_script_and_its_values(make: MakeSite) -> None:
    made = "      - {name: p, person: {attributes: {FirstName: Bo}, login_from: [bo]}}\n"
    script = "echo {{ packet.Comment }} {{ person.login }} {{ secret.word }}"
    rules = _rules(f'run: "{script}"').replace("    actions:\n", "    actions:\n" + made)
    site = make(rules, secrets={"word": {"env": "PATH"}})
    (packet,) = load(site, rpi({"Comment": "$(x) 'y'"}))
    (report,) = plan(site)
    lines = "\n".join(as_lines(report, lambda text, style: text, 200))
    assert "AMIE_1='$(x) '\"'\"'y'\"'\"'' AMIE_2=bo (known after p) AMIE_3='***' /bin/sh -c" in lines
    run(site)
    (change,) = steps_of(site, packet)["one"].changes
    assert change["argv"] == ["/bin/sh", "-c", 'echo "${AMIE_1}" "${AMIE_2}" "${AMIE_3}"']
    assert change["values"] == {"AMIE_1": "$(x) 'y'", "AMIE_2": "bo", "AMIE_3": "***"}


@pytest.mark.parametrize(("comment", "said"), [(None, "is none; a script needs a value"), ("-x", "would be an option")])
def test_a_value_that_a_script_cannot_take_parks(make: MakeSite, comment: str | None, said: str) -> None:
    site = make(_rules("run: 'echo {{ packet.Comment }}'"))
    (packet,) = load(site, rpi({"Comment": comment}))
    run(site)
    assert status_of(site, packet) == "parked"
    assert said in reason_of(site, packet)
