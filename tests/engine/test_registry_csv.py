"""CSV files of the registry."""

from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.database.rows import Presence
from amierules.engine.registry.files import read_files
from amierules.engine.registry.importing import plan_import
from amierules.engine.registry.stock import Stock
from tests.support.registries import (
    SAMPLE,
    SITE,
    canonical,
    errors,
    planned,
)


def test_csv_says_the_same_as_yaml(tmp_path: Path) -> None:
    stock = Stock()
    csvs = {
        "persons.csv": "\ufeffperson_id,global_id,logins,ids,uid,FirstName,Email,data.note,dns\r\n"
        'P1,71691,bsample; bea,P0,20001,Bea,bea@site.example,x,"/CN=Bea"\r\n\r\nP2,71692,cal,,20002,Cal,,,\r\n',
        "project-list.csv": "project_id,grant_number,group,gid,title,pi,resources,data.mgr\n"
        "PR1,TG1,grp1,30001,A: title,P1,alpha,R. Roe\n",
        "x.csv": "project,resource,start,end,units\nPR1,alpha,2025-10-01,2026-09-30,1000.50\n",
        "y.CSV": "person,project,resource\nP1,PR1,alpha\n",
    }
    for name, text in csvs.items():
        assert planned(tmp_path, stock, text, name).findings == []
    wanted = Stock([row for row in SAMPLE if not (isinstance(row, Presence) and row.resource == "beta")])
    assert canonical(stock) == canonical(wanted)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [("empty-file", 0)]),
        ("person_id,uid,uid,Frstname\nP1,1,1,x\n", [("duplicate-key", 1), ("unknown-key", 1)]),
        ("uid,FirstName\n1,x\n", [("missing-key", 1)]),
        ("person_id,AcademicDegree,data\nP1,x,y\n", [("bad-value", 1), ("bad-value", 1)]),
        ("person_id,uid\nP1,x\n,5\nP2\nP3,7\n", [("bad-value", 2), ("missing-key", 3), ("csv-row", 4)]),
        (
            "person_id,uid\nP1,0\nP2,4294967295\nP3,-1\nP4,1.0\nP5,\u0661\n",
            [("bad-value", 2 + i) for i in range(5)],
        ),
        ('person_id,FirstName\nP1,"a\nb"\nP2,"a\x1b"\n', [("bad-value", 4)]),
        ('person_id,FirstName\nP1,"a\n', [("csv-syntax", 2)]),
        ("person_id,state\nP1,gone\nP2,active\n", [("bad-value", 2)]),
    ],
)
def test_what_is_wrong_in_csv_is_found_at_its_line(text: str, expected: list[tuple[str, int]], tmp_path: Path) -> None:
    result = planned(tmp_path, Stock(), text, "persons.csv")
    assert errors(result) == expected


def test_a_csv_cell_has_its_column(tmp_path: Path) -> None:
    (finding,) = planned(tmp_path, Stock(), "person_id,uid\nP1,x\n", "persons.csv").findings
    assert finding.place is not None
    assert (finding.place.line, finding.place.column, finding.place.length) == (2, 4, 1)


def test_the_kind_of_a_csv_file_must_be_told(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_text("person_id,grant_number\nP1,TG1\n", encoding="utf-8")
    assert [finding.code for finding in read_files([path]).findings] == ["unknown-kind"]
    assert [finding.code for finding in read_files([path], "persons").findings] == ["unknown-key"]


def test_bytes_that_are_not_utf_8_are_found(tmp_path: Path) -> None:
    path = tmp_path / "persons.csv"
    path.write_bytes(b"person_id\nP1\nP\xff\n")
    (finding,) = read_files([path]).findings
    assert (finding.code, finding.place and finding.place.line) == ("not-utf-8", 3)


@given(cells=st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=4), junk=st.text(max_size=30))
def test_no_csv_breaks_the_reader(
    cells: list[tuple[str, str]], junk: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "persons.csv"
    text = "person_id,Email\n" + "".join(f"{one},{other}\n" for one, other in cells) + junk
    path.write_bytes(text.encode("utf-8", "replace"))
    contents = read_files([path])
    assert all(entry.values.get("person_id") for entry in contents.entries)
    plan_import(contents.entries, Stock(), SITE, lambda: uuid4().hex)
