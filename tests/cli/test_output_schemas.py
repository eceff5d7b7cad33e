"""What the reading commands print as JSON follows its schema, whatever state packets and steps are in."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from amierules.shipped import ROOT
from tests.support import states
from tests.support.amie_json import rpc, rum
from tests.support.command_line import call

SCHEMAS = sorted((ROOT / "schemas" / "output").glob("*.schema.json"))
OPEN = {"ready", "waiting", "deferred", "retrying", "held", "in_doubt", "parked"}


@pytest.fixture
def new_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site of all states, before any run; we are in it."""
    monkeypatch.chdir(states.make_folder(tmp_path))
    assert call("load", states.write(tmp_path / "packets.json", states.packets())).status == 0
    return tmp_path


@pytest.fixture(scope="module")
def run_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A site of all states after a run, and with one more packet; we are in it."""
    with pytest.MonkeyPatch.context() as patch:
        folder = states.make_folder(tmp_path_factory.mktemp("run"))
        patch.chdir(folder)
        assert call("load", states.write(folder / "packets.json", states.packets())).status == 0
        assert call("run").status == 3
        assert call("load", states.write(folder / "more.json", states.packets("done"))).status == 0
        yield folder


def listed(*words: object) -> list[dict[str, Any]]:
    return list(call("status", "--format", "json", *words).json("status")["packets"])


def names(schema: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Every key that a schema describes."""
    if isinstance(schema, dict):
        for name, value in schema.get("properties", {}).items():
            yield f"{where}.{name}", value
        for key, value in schema.items():
            if key not in ("examples", "then", "if"):
                yield from names(value, f"{where}/{key}")
    elif isinstance(schema, list):
        for position, value in enumerate(schema):
            yield from names(value, f"{where}/{position}")


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda file: file.name)
def test_every_key_is_described(file: Path) -> None:
    schema = json.loads(file.read_text(encoding="utf-8"))
    known = dict(names(schema, ""))
    assert known
    bare = [
        name
        for name, value in known.items()
        if not value.get("description") and not value.get("$ref") and set(value) != {"type"}
    ]
    assert bare == []
    assert schema["properties"]["format_version"]["const"] == 1


def test_an_empty_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(states.make_folder(tmp_path))
    assert listed("--all") == []
    assert call("dry-run", "--format", "json").json("dry-run") == {"format_version": 1, "packets": []}
    assert call("registry", "show", "--format", "json").json("registry")["persons"] == []
    assert not (tmp_path / "amie.db").exists()


def test_status_before_any_run(new_site: Path) -> None:
    packets = listed()
    assert {line["status"] for line in packets} == {"ready", "parked"}
    unknown = next(line for line in packets if line["type"] == "request_coffee")
    assert (unknown["packet_rec_id"], unknown["trans_rec_id"], unknown["status"]) == (None, None, "parked")
    assert [line["remote_packet_rec_id"] for line in packets] == sorted(
        line["remote_packet_rec_id"] for line in packets
    )


def test_status_has_every_status(run_site: Path) -> None:
    assert {line["status"] for line in listed()} == OPEN
    everything = listed("--all")
    assert {line["status"] for line in everything} == OPEN | {"done", "failed", "ignored"}
    for line in everything:
        needs_reason = line["status"] in OPEN - {"ready"}
        assert bool(line["reason"]) >= needs_reason, line
        assert (line["next_attempt_at"] is not None) == (line["status"] in ("deferred", "retrying"))
    (retried,) = listed("--status", "retrying")
    assert (retried["attempts"], retried["rule"]) == (1, "is guarded")


def test_a_list_of_statuses_can_be_asked_for(run_site: Path) -> None:
    assert {line["status"] for line in listed("-s", "held", "-s", "failed")} == {"held", "failed"}


def test_a_dry_run_has_every_state_of_a_step_and_most_outcomes(new_site: Path) -> None:
    data = call("dry-run", "--format", "json").json("dry-run")
    outcomes = {packet["outcome"]["kind"] for packet in data["packets"]}
    assert outcomes == {"fail", "ignore", "hold", "defer", "reply", "wait"}
    found = {step["state"] for packet in data["packets"] for step in packet["actions"]}
    assert found == {"skipped", "present", "change", "unknown", "error", "conflict"}
    steps = next(packet["actions"] for packet in data["packets"] if packet["rule"] == "every step")
    assert [(step["path"], step["item"]) for step in steps if step["name"] == "each"] == [
        ("each[0]", 1),
        ("each[1]", 2),
    ]
    (change,) = next(step["changes"] for step in steps if step["name"] == "change")
    assert change["argv"] == ["echo", "steps", "***"]
    assert "hush" not in json.dumps(data)


def test_what_is_known_after_apply_names_its_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(states.make_folder(tmp_path, {}))
    file = states.write(tmp_path / "one.json", rpc())
    data = call("dry-run", "--format", "json", "--packet", file).json("dry-run")
    (packet,) = data["packets"]
    assert packet["packet_rec_id"] is None
    person_id = packet["outcome"]["body"]["PiPersonID"]
    assert (person_id["unknown"], str(person_id["expected"])) == ("PI/registry", "20000")
    assert {change["op"] for step in packet["actions"] for change in step["changes"]} <= {"create", "modify", "run"}


def test_a_dry_run_after_a_run_shows_what_is_done_and_what_waits(run_site: Path) -> None:
    data = call("dry-run", "--format", "json").json("dry-run")
    assert {packet["outcome"]["kind"] for packet in data["packets"]} >= {"defer", "wait", "reply"}


@pytest.mark.parametrize("which", ["broken rules", "missing tag", "unknown type"])
def test_a_packet_without_a_plan_is_parked_in_the_json(new_site: Path, which: str) -> None:
    packet = rum({"PersonID": None if which == "missing tag" else "x"})
    if which == "broken rules":
        (new_site / "rules" / "request_user_modify.yaml").write_text("packet: request_user_modify\nrules: [{}]\n")
    if which == "unknown type":
        packet["type"] = "request_coffee"
    ended = call("dry-run", "--format", "json", "--packet", states.write(new_site / "x.json", packet))
    assert ended.status == 1
    (planned,) = ended.json("dry-run")["packets"]
    assert (planned["outcome"]["kind"], planned["outcome"]["type"]) == ("park", None)
    assert planned["outcome"]["reason"]


def test_show_follows_its_schema_for_every_packet(run_site: Path) -> None:
    seen = set()
    for line in listed("--all"):
        name = line["packet_rec_id"] or f"r:{line['remote_packet_rec_id']}"
        data = call("show", name, "--format", "json").json("show")
        assert (data["packet_rec_id"], data["reason"]) == (line["packet_rec_id"], line["reason"])
        assert data["packet"]["type"] == line["type"]
        seen |= {step["state"] for step in data["steps"]}
        for other in data["transaction"]:
            shown = call("show", other["packet_rec_id"], "--format", "json").json("show")
            assert (shown["status"] is None) == (other["outgoing"] or line["status"] == "ready")
    assert seen == {"done", "failed", "started"}


def test_show_keeps_secrets(run_site: Path) -> None:
    (line,) = (one for one in listed("--all") if one["rule"] == "every step")
    ended = call("show", line["packet_rec_id"], "--format", "json")
    assert "***" in ended.stdout
    assert "hush" not in ended.stdout + call("show", line["packet_rec_id"]).stdout


def test_the_registry_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(states.make_folder(tmp_path, {}))
    assert call("load", *states.CAPTURED).status == 0
    assert call("run").status == 0
    data = call("registry", "show", "--format", "json").json("registry")
    assert [person["global_id"] for person in data["persons"]] == ["90022", "90011"]
    assert call("registry", "show", "person", "90011", "--format", "json").json("registry")["projects"] == []


@pytest.mark.parametrize(
    "words",
    [
        ("status", "--status", "nope"),
        ("show", "999"),
        ("show", "r:999"),
        ("dry-run", "999"),
        ("registry", "show", "person", "nobody"),
        ("validate", "nope.yaml"),
        ("status", "--config", "nope.yaml"),
        ("doctor", "--config", "nope.yaml"),
    ],
)
def test_a_failing_command_prints_an_error_document(new_site: Path, words: tuple[str, ...]) -> None:
    ended = call(*words, "--format", "json")
    assert ended.status in (1, 2)
    if words[0] == "doctor":
        assert ended.json("doctor")["checks"]
        return
    error = ended.json("error")["error"]
    assert error["code"] != "internal-error"
    assert error["message"]
    assert ended.stderr == ""


def test_data_is_on_stdout_alone_and_prose_on_stderr(new_site: Path) -> None:
    (new_site / "rules" / "data_create.yaml").write_text("packet: data_project_create\n")
    for words in (("status",), ("dry-run",), ("show", "1"), ("registry", "show"), ("doctor",)):
        json.loads(call(*words, "--format", "json").stdout)
    assert "rules/data_create.yaml" in call("status", "--format", "json").stderr
