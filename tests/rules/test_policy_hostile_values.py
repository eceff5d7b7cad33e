"""Packets whose names, grants, logins and DNs could do harm, answered by the shipped rules with Unix accounts."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from amierules.engine.site import Site
from tests.support.hostile import HOSTILE
from tests.support.policy import introduce, person, registry_only, with_accounts
from tests.support.shadow import ScratchRoot, host_digest
from tests.support.sites import load, rac, registry, reply_to, rpc, rum, run, status_of

TEXTS = [text for text in HOSTILE if "\x00" not in text and text.isascii() | text.isprintable()]
"""`load` refuses NUL."""
NAME = re.compile(r"[a-z][a-z0-9_.+-]{0,31}")
LOGIN = re.compile(r"[a-z][a-z0-9]{1,15}")
ENDED = {"done", "held", "parked", "failed", "waiting", "deferred"}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScratchRoot]:
    """A scratch root, and an empty working folder that must stay empty; the host's files must stay as they are."""
    untouched = host_digest()
    made = ScratchRoot.make(tmp_path / "root")
    folder = tmp_path / "working-folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    passwd, group = _lines(made, "passwd"), _lines(made, "group")
    tree = made.tree()
    yield made
    assert list(folder.iterdir()) == []
    assert host_digest() == untouched
    assert {path.name for path in tmp_path.iterdir()} <= {"root", "working-folder", "site"}
    assert {re.sub(r"[-+]$", "", path) for path in made.tree()} - tree <= {"etc/.amierules.lock"}
    _check_passwd(_lines(made, "passwd"), passwd)
    _check_group(_lines(made, "group"), group)


def _lines(root: ScratchRoot, file: str) -> list[list[str]]:
    text = (root.path / "etc" / file).read_text(encoding="utf-8")
    return [line.split(":") for line in text.split("\n")[:-1]]


def _check_passwd(lines: list[list[str]], before: list[list[str]]) -> None:
    assert lines[: len(before)] == before
    for line in lines[len(before) :]:
        assert len(line) == 7
        assert LOGIN.fullmatch(line[0])
        assert 20000 <= int(line[2]) <= 29999
        assert line[5] == f"/home/{line[0]}"
        assert line[6] in ("", "/bin/sh", "/bin/bash")
    for column in (0, 2):
        assert max(Counter(line[column] for line in lines).values()) == 1


def _check_group(lines: list[list[str]], before: list[list[str]]) -> None:
    logins = {line[0] for line in lines}
    assert [line[:3] for line in lines[: len(before)]] == [line[:3] for line in before]
    for line in lines[len(before) :]:
        assert len(line) == 4
        assert NAME.fullmatch(line[0])
        assert line[0].startswith("p-") or line[0] in logins
        assert int(line[2]) >= 20000


def play(site: Site, packets: Sequence[Mapping[str, Any]]) -> list[str]:
    """The statuses in which the packets ended; an internal error fails the test."""
    ids = load(site, *packets)
    run(site)
    statuses = [status_of(site, packet_rec_id) for packet_rec_id in ids]
    assert set(statuses) <= ENDED
    return statuses


def test_there_are_enough_hostile_texts() -> None:
    assert len(set(TEXTS)) >= 100


def test_grants_project_ids_and_titles(tmp_path: Path, root: ScratchRoot) -> None:
    site = with_accounts(tmp_path / "site", root)
    plain = {"ResourceList": ["alpha.site.example"]}
    packets = [rpc({**plain, "GrantNumber": text, "ProjectID": text, "ProjectTitle": text}) for text in TEXTS[::2]]
    statuses = play(site, [*packets, rpc()])
    # What cannot be the name of a group stops its own packet before anything is done, and no other of the same PI.
    assert statuses[-1] == "done"
    assert set(statuses) <= {"done", "parked", "held"}
    assert statuses.count("done") > 1
    groups = [line[0] for line in _lines(root, "group") if line[0].startswith("p-")]
    assert "p-xyz259276" in groups
    assert len(groups) == statuses.count("done")


def test_names_logins_and_dns_of_new_persons(tmp_path: Path, root: ScratchRoot) -> None:
    site = with_accounts(tmp_path / "site", root)
    introduce(site)
    texts = TEXTS[::3]
    packets = [
        rac(
            {
                **{"UserFirstName": text, "UserMiddleName": text, "UserLastName": text, "UserGlobalID": f"7{number}"},
                **{"UserRequestedLoginList": [text, f"w{number}x"], "UserDnList": [text], "UserEmail": text},
                "SitePersonId": [{"Site": "X-PORTAL", "PersonID": text}],
            }
        )
        for number, text in enumerate(texts)
    ]
    statuses = play(site, packets)
    assert statuses.count("done") > len(texts) / 2
    done = [number for number, status in enumerate(statuses) if status == "done"]
    for number in done:
        found = registry(site).find_person(global_id=f"7{number}")
        assert found is not None
        assert found.dns == (texts[number],)
        line = root.line("passwd", found.logins[0])
        assert line is not None
        assert line[2] == str(found.uid)


def test_new_names_of_one_person(tmp_path: Path, root: ScratchRoot) -> None:
    site = with_accounts(tmp_path / "site", root)
    introduce(site)
    texts = TEXTS[1::4]
    tags = [{"FirstName": text, "LastName": text, "Email": text, "DnList": [text]} for text in texts]
    statuses = play(site, [rum({"PersonID": "20001", **one}) for one in tags])
    assert set(statuses) <= {"done", "parked"}
    assert statuses.count("done") > len(texts) / 2
    assert len(_lines(root, "passwd")) == 4


def test_texts_are_data_and_reach_registry_and_reply_unchanged() -> None:
    site = registry_only()
    introduce(site)
    texts = [text for text in TEXTS if text.isascii() and text.isprintable() and text.strip() == text != ""]
    ids = load(site, *[rac({"UserPersonID": "20001", "UserFirstName": text, "UserDnList": [text]}) for text in texts])
    run(site)
    for text, packet_rec_id in zip(texts, ids, strict=True):
        assert reply_to(site, packet_rec_id).packet.body["UserFirstName"] == text
    assert set(texts) <= set(person(site, "20001").dns)
    assert person(site, "20001").data["FirstName"] == texts[-1]
