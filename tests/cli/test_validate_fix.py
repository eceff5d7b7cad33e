"""`amierules validate --fix` adds quotes and modelines, says so, and leaves every other byte as it is."""

import os
from pathlib import Path

import pytest

from amierules.engine.site_folder import write_site_folder
from tests.support.command_line import call

RULE = "rules/request_user_modify.yaml"
MODELINE = "# yaml-language-server: $schema=../schemas/rule-file.schema.json"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new site folder, and we are in it."""
    write_site_folder(tmp_path / "site", "TestSite", ("alpha.example",))
    monkeypatch.chdir(tmp_path / "site")
    return tmp_path / "site"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_good_site_is_not_touched(site: Path) -> None:
    before = contents(site)
    ended = call("validate", "--fix")
    assert ended.status == 0
    assert "fixed" not in ended.stdout
    assert contents(site) == before


def test_quotes_and_modeline_are_added_and_nothing_else(site: Path) -> None:
    (site / RULE).write_bytes(
        b"# mine\r\npacket: request_user_modify   # \xc3\xa9\r\nrules:\r\n  - {name: 1.10, hold: 2025-10-01} # both\r\n"
    )
    ended = call("validate", "--fix")
    assert ended.status == 0, ended.stdout
    assert (site / RULE).read_bytes() == MODELINE.encode() + (
        b"\r\n# mine\r\npacket: request_user_modify   # \xc3\xa9\r\nrules:\r\n"
        b'  - {name: "1.10", hold: "2025-10-01"} # both\r\n'
    )
    assert ended.stdout.splitlines()[:3] == [
        f"{RULE}:1: fixed: added {MODELINE}",
        f'{RULE}:4:12: fixed: 1.10 -> "1.10"',
        f'{RULE}:4:24: fixed: 2025-10-01 -> "2025-10-01"',
    ]


@pytest.mark.parametrize(
    ("value", "fixed"),
    [
        ("1E5", '"1E5"'),
        ("0032425", '"0032425"'),
        ("true", '"true"'),
        ("-.5", '"-.5"'),
        ("{{ packet.PersonID }}", '"{{ packet.PersonID }}"'),
        ("{{ packet['PersonID'] }} asks", "\"{{ packet['PersonID'] }} asks\""),
        ('{{ packet["PersonID"] }} asks', "'{{ packet[\"PersonID\"] }} asks'"),
    ],
)
def test_what_lacks_quotes_gets_them(site: Path, value: str, fixed: str) -> None:
    (site / RULE).write_text(f"{MODELINE}\npacket: request_user_modify\nrules:\n  - name: 7\n    hold: {value} # c\n")
    ended = call("validate", "--fix", RULE)
    assert ended.status == 0, ended.stdout
    assert (site / RULE).read_text().endswith(f'  - name: "7"\n    hold: {fixed} # c\n')


@pytest.mark.parametrize("text", ["hold: 2025\n      more", "holt: 2025", "hold: [2025]", "hold:", "hold: '2025"])
def test_what_quotes_do_not_mend_stays(site: Path, text: str) -> None:
    (site / RULE).write_text(f"{MODELINE}\npacket: request_user_modify\nrules:\n  - name: it\n    {text}\n")
    before = contents(site)
    call("validate", "--fix")
    assert contents(site) == before


def test_a_modeline_names_the_schema_of_the_file(site: Path) -> None:
    for name in ("amierules.yaml", "rules/blocks/ensure_person.yaml"):
        lines = (site / name).read_text().splitlines(keepends=True)
        (site / name).write_text("".join(line for line in lines if "yaml-language-server" not in line))
    assert call("validate", "--fix").status == 0
    assert (site / "amierules.yaml").read_text().startswith("# yaml-language-server: $schema=schemas/configuration.")
    block = (site / "rules/blocks/ensure_person.yaml").read_text()
    assert block.startswith("# yaml-language-server: $schema=../../schemas/block.schema.json\n")


def test_without_schemas_there_is_no_modeline(tmp_path: Path) -> None:
    text = "packet: request_user_modify\nrules:\n  - name: it\n    hold: '?'\n"
    (tmp_path / "rule.yaml").write_text(text)
    assert call("validate", "--fix", tmp_path / "rule.yaml").status == 0
    assert (tmp_path / "rule.yaml").read_text() == text


def test_byte_order_mark_link_and_permissions_stay(site: Path) -> None:
    real = site / "elsewhere.yaml"
    real.write_bytes(b"\xef\xbb\xbfpacket: request_user_modify\nrules:\n  - {name: it, hold: 1}\n")
    real.chmod(0o640)
    (site / RULE).unlink()
    (site / RULE).symlink_to(real)
    assert call("validate", "--fix").status == 0
    assert (site / RULE).is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert real.read_bytes() == b"\xef\xbb\xbf" + MODELINE.encode() + (
        b'\npacket: request_user_modify\nrules:\n  - {name: it, hold: "1"}\n'
    )
    assert not [name for name in os.listdir(site) if name.endswith(".new")]


def test_json_stays_json(site: Path) -> None:
    (site / RULE).write_text("packet: request_user_modify\nrules:\n  - {name: it, hold: 1}\n")
    ended = call("validate", "--fix", "--format", "json")
    assert ended.json("validate")["findings"] == []
    assert ended.stderr.count("fixed: ") == 2
