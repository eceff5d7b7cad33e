"""Kinds that packages bring: how they are found, and what is said of broken ones. No module is imported for that."""

import json
import sys
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from amierules.actions.own_kinds import TAKEN, OwnKinds, own_kinds, shipped_names
from amierules.actions.own_module import OwnModule
from amierules.actions.own_offers import GROUP, offers
from amierules.actions.schemas import kind_schemas
from amierules.actions.table import BACK_ENDS, all_kinds
from amierules.engine.schema_files import schema_files
from amierules.engine.site_folder import write_site_folder
from amierules.shipped import read_schema
from tests.support.command_line import call

GOOD: dict[str, Any] = read_schema("kind.schema")["examples"][0]
MODULE = "raise RuntimeError('imported')\n"


class Packages:
    """Packages that a test installs by writing their files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(
        self,
        package: str,
        schema: object = GOOD,
        *,
        kind: str = "project_quota",
        value: str | None = None,
        module: str | None = MODULE,
    ) -> Path:
        """A package with one kind; `value` is the entry point as it is written. Returns its folder."""
        top = f"site_{package}"
        home = self.folder / top
        home.mkdir()
        (home / "__init__.py").write_text(MODULE)
        if module is not None:
            (home / "kind.py").write_text(module)
        if schema is not None:
            (home / "kind.json").write_text(schema if isinstance(schema, str) else json.dumps(schema, indent=1))
        info = self.folder / f"{top}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {top}\nVersion: 1.0\n")
        entry = f"{kind} = {f'{top}.kind:kind.json' if value is None else value}"
        (info / "entry_points.txt").write_text(f"[amierules.actions]\n{entry}\n")
        return home


@pytest.fixture
def packages(tmp_path: Path, fresh: pytest.MonkeyPatch) -> Packages:
    folder = tmp_path / "packages"
    folder.mkdir()
    fresh.syspath_prepend(folder)
    return Packages(folder)


def without(*keys: str, **changed: object) -> dict[str, Any]:
    return {key: value for key, value in (GOOD | changed).items() if key not in keys}


def codes(found: OwnKinds) -> list[str]:
    return [finding.code for finding in found.findings]


def test_a_kind_is_found_and_nothing_is_imported(packages: Packages) -> None:
    packages.add("quota")
    found = own_kinds()
    assert (list(found.kinds), codes(found)) == (["project_quota"], [])
    assert found.kinds["project_quota"].package == "site_quota 1.0"
    assert kind_schemas()["project_quota"]["properties"].keys() == {"project", "bytes"}
    assert {"project_quota", *shipped_names()} - {"use"} == set(all_kinds())
    assert not [name for name in sys.modules if name.startswith("site_quota")]


def test_editors_are_offered_it(packages: Packages) -> None:
    packages.add("quota")
    action = json.loads(schema_files()["action.schema.json"])
    assert action["properties"]["project_quota"] == {"$ref": "kinds/project_quota.schema.json"}
    assert {"required": ["project_quota"]} in action["oneOf"]
    assert json.loads(schema_files()["kinds/project_quota.schema.json"]) == GOOD


def test_a_part_that_the_schema_refers_to_is_known(packages: Packages) -> None:
    amount = {"description": "An amount.", "type": ["integer", "string"], "x-type": "integer"}
    schema = without(
        properties={"project": {"$ref": "#/definitions/amount"}, "bytes": {"$ref": "#/definitions/amount"}}
    )
    packages.add("quota", schema | {"definitions": {"amount": amount}})
    assert codes(own_kinds()) == []
    assert kind_schemas()["project_quota"]["properties"]["bytes"] == amount


@pytest.mark.parametrize("kind", ["user", "use", "name", "when", "slurm", "ssh"])
def test_a_name_that_means_something_else_is_refused(kind: str, packages: Packages) -> None:
    packages.add("quota", without(title=kind), kind=kind)
    found = own_kinds()
    assert (dict(found.kinds), codes(found)) == ({}, ["clashing-kind"])
    assert "site_quota 1.0" in found.findings[0].message


def test_every_back_end_of_ours_keeps_its_name() -> None:
    assert set(BACK_ENDS) <= TAKEN | shipped_names()


def test_of_two_packages_with_one_kind_none_is_used(packages: Packages) -> None:
    packages.add("one")
    packages.add("two")
    found = own_kinds()
    assert (dict(found.kinds), codes(found)) == ({}, ["clashing-kind"])
    assert "site_one 1.0 and site_two 1.0" in found.findings[0].message


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"value": "site_quota.kind"}, "names no module and schema file"),
        ({"value": "site_quota.kind:"}, "names no module and schema file"),
        ({"value": "site_quota.kind:../kind.json"}, "names no module and schema file"),
        ({"value": "site quota:kind.json"}, "names no module and schema file"),
        ({"value": "site_quota.kinds:kind.json"}, "there is no module site_quota.kinds"),
        ({"value": "site_nowhere.kind:kind.json"}, "there is no module site_nowhere.kind"),
        ({"module": None}, "there is no module site_quota.kind"),
        ({"schema": None}, "there is no kind.json in"),
        ({"kind": "Project-Quota"}, "calls a kind 'Project-Quota'"),
    ],
)
def test_an_entry_point_that_leads_nowhere_is_an_error(given: Mapping[str, Any], said: str, packages: Packages) -> None:
    packages.add("quota", **given)
    found = own_kinds()
    assert (dict(found.kinds), codes(found)) == ({}, ["broken-kind"])
    assert said in found.findings[0].message
    assert "site_quota 1.0" in found.findings[0].message


@pytest.mark.parametrize(
    ("schema", "line", "said"),
    [
        ("{", 1, "this is no JSON"),
        ("[" * 100_000, 0, "this is no JSON"),
        ("[]", 1, "must be a mapping"),
        (without("x-doubt"), 1, "'x-doubt'"),
        (without("x-doubt", **{"x-dout": "probe"}), 0, "'x-dout'"),
        (without(**{"x-doubt": "guess"}), 0, "guess"),
        (without(**{"x-doubt": "person"}), 0, "what a person has to settle"),
        (without(title="other"), 3, "the title is 'other'"),
        (without(required=["projct"]), 0, "no parameter 'projct'"),
        (
            without(properties={"bytes": {"type": "integer"}}, required=[], examples=[{}]),
            0,
            "'bytes' has no description",
        ),
        (without(properties={"bytes": {"description": "x", "type": "interger"}}, required=[]), 0, "no JSON Schema"),
        (without(properties={"bytes": {"description": "x", "x-type": "interger"}}, required=[]), 0, "interger"),
        (without(properties={"bytes": {"description": "x", "x-typ": "integer"}}, required=[]), 0, "x-typ"),
        (without(definitions={"x": {"x-type": "interger"}}), 0, "interger"),
        (without(properties={"bytes": {"$ref": "#/definitions/no"}}, required=[]), 0, "refers to nothing"),
        (without(properties={"bytes": {"$ref": "other.json#/definitions/x"}}, required=[]), 0, "refers to nothing"),
        (
            without(definitions={"x": {"$ref": "#/definitions/x"}}, properties={"bytes": {"$ref": "#/definitions/x"}}),
            0,
            "refers to itself",
        ),
        (without(examples=[{"bytes": 1, "inodes": 2, "project": 1}]), 0, "example 1 is not valid"),
        ("{\x00}", 1, "this is no JSON"),
    ],
)
def test_a_wrong_schema_is_told_where_it_is_wrong(schema: object, line: int, said: str, packages: Packages) -> None:
    home = packages.add("quota", schema)
    found = own_kinds()
    about, *places = found.findings
    assert (dict(found.kinds), about.code) == ({}, "broken-kind")
    assert places
    assert any(said in place.message for place in places), places
    assert all(place.place is not None and place.place.file.endswith(f"{home.name}/kind.json") for place in places)
    if line:
        assert [place.place.line for place in places if place.place] == [line]


def test_what_is_said_of_broken_ones_reaches_people(
    packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages.add("quota", without(**{"x-doubt": "guess"}))
    write_site_folder(tmp_path / "site", "TestSite", ("alpha.example",))
    monkeypatch.chdir(tmp_path / "site")
    ended = call("validate")
    assert ended.status == 1
    assert "error[broken-kind]: the kind 'project_quota' of the package site_quota 1.0 cannot be used" in ended.stdout
    assert "error[broken-kind]" in call("dry-run").stderr
    assert "error[broken-kind]" in call("validate", "rules/request_account_create.yaml").stdout
    states = [(one["what"], one["state"]) for one in call("doctor", "--format", "json").json("doctor")["checks"]]
    assert ("kinds", "error") in states


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("import no_such_module\n", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'"),
        ("def probe(:\n", "cannot be imported: SyntaxError"),
        ("raise SystemExit(3)\n", "cannot be imported: SystemExit: 3"),
        ("def target(params): ...\nprobe = plan = 1\n", "the module site_quota.kind has no probe()"),
    ],
)
def test_a_module_that_cannot_be_used_is_told_by_doctor(
    module: str, said: str, packages: Packages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = packages.add("quota", module=module)
    (home / "__init__.py").write_text("")
    write_site_folder(tmp_path / "site", "TestSite", ("alpha.example",))
    monkeypatch.chdir(tmp_path / "site")
    assert call("validate").status == 0
    (check,) = [one for one in call("doctor", "--format", "json").json("doctor")["checks"] if one["what"] == "kinds"]
    assert (check["state"], said in check["detail"]) == ("error", True), check
    assert said in OwnModule(own_kinds().kinds["project_quota"]).check()


def test_an_entry_point_without_value_and_metadata_that_is_no_text_harm_nobody(packages: Packages) -> None:
    packages.add("quota")
    broken = packages.folder / "broken-2.0.dist-info"
    broken.mkdir()
    (broken / "entry_points.txt").write_bytes(b"\xff[amierules.actions]\n")
    empty = packages.folder / "empty-3.0.egg-info"
    empty.mkdir()
    (empty / "entry_points.txt").write_text("[ amierules.actions ]\n# nothing\n\nlonely\n[other]\nuser = x:y\n")
    found = own_kinds()
    assert (list(found.kinds), codes(found)) == (["project_quota"], ["broken-kind"])
    assert "the kind 'lonely' of the package empty 3.0" in found.findings[0].message


def test_of_a_package_in_two_folders_the_first_counts(packages: Packages, fresh: pytest.MonkeyPatch) -> None:
    packages.add("quota", None)
    first = Packages(packages.folder.parent / "first")
    first.folder.mkdir()
    first.add("quota")
    fresh.syspath_prepend(first.folder)
    assert codes(own_kinds()) == []


def test_what_is_read_is_what_python_reads(packages: Packages) -> None:
    packages.add("quota")
    packages.add("other", kind="other_kind")
    by_python = {(one.name, one.value) for one in entry_points(group=GROUP)}
    assert {(one.name, one.value) for one in offers()} == by_python
    assert len(by_python) == 2
