"""A source's rows: what becomes of names of every character, of moments, states and numbers."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.usage.fields import AT, RAW, tres_of
from amierules.usage.jobs import JobReader, NeverRan, NotCounted, Unfinished
from amierules.usage.problem import Refusal
from amierules.usage.sources import Bad, csv_rows, delimited, json_rows, sacct_words
from tests.support.usage import NOW, START, raw

READER = JobReader({"COMPLETED", "FAILED", "CANCELLED"}, 300, int(NOW.timestamp()))
BERLIN = JobReader({"COMPLETED"}, 300, int(NOW.timestamp()), zone=ZoneInfo("Europe/Berlin"))
NAMES = [one.name for one in RAW]


def refused(**given: object) -> str:
    with pytest.raises(Refusal) as error:
        READER.job(raw(1, **given))
    return error.value.code


@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=3, max_size=3)), st.data())
def test_no_text_can_pretend_to_be_a_field_or_a_record(records: list[list[str]], data: st.DataObject) -> None:
    words, mark = sacct_words("sacct", (START, START + 60), ["alpha"], None, [])
    assert f"--delimiter={mark}" in words[0]
    records = [[str(number), *fields[1:]] for number, fields in enumerate(records)]
    written = "".join("".join(field + mark for field in fields) + "\n" for fields in records).encode()
    cut = data.draw(st.integers(0, len(written)))
    read = [row for _, piece in delimited([written[:cut], written[cut:]], mark, 3) for row in piece]
    assert read == records


def test_an_output_that_ends_inside_a_record_is_no_record() -> None:
    pieces = list(delimited([b"1<m>a<m>\n2<m>"], "<m>", 2))
    assert [piece for _, piece in pieces] == [[["1", "a"]], [Bad("the output ends inside a record", "")]]


def test_each_call_of_sacct_has_a_delimiter_of_its_own_and_takes_only_so_many_accounts() -> None:
    accounts = [f"account-{number:05}" for number in range(20_000)]
    (calls, mark), (_, other) = (sacct_words("sacct", (0, 60), ["a", "b"], accounts, ["QOS"]) for _ in range(2))
    assert mark != other
    assert all(len(word) < 131_072 for words in calls for word in words)
    listed = [name for words in calls for name in words[-1].removeprefix("--accounts=").split(",")]
    assert listed == accounts
    assert "--clusters=a,b" in calls[0]
    assert "--starttime=1970-01-01T00:00:00" in calls[0]


def test_a_job_is_what_sacct_says() -> None:
    job = READER.job(raw(7, state="CANCELLED by 1000", time_limit="UNLIMITED", login="joe"))
    assert [job[AT[name]] for name in ("job_id", "state", "time_limit", "login", "elapsed", "cpus")] == [
        *("7", "CANCELLED", None, "joe", 3600, 4)
    ]


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        ({"state": "RUNNING", "ended": "Unknown"}, Unfinished),
        ({"state": "PENDING", "started": "1772323200", "ended": "Unknown", "nodes": "0"}, Unfinished),
        ({"state": "CANCELLED by 0", "nodes": "0", "elapsed": "0"}, NeverRan),
        ({"state": "TIMEOUT"}, NotCounted),
    ],
)
def test_jobs_that_are_none_of_the_ledgers(given: dict[str, object], outcome: type[Exception]) -> None:
    with pytest.raises(outcome):
        READER.job(raw(1, **given))


def test_bad_rows_are_refused_each_with_a_reason_of_its_own() -> None:
    assert refused(ended=START - 5000, elapsed=0, started=START) == "order"
    assert refused(submitted=START + 4000, started=START) == "order"
    assert refused(ended=int(NOW.timestamp()) + 301, elapsed=10) == "clock"
    assert refused(cpus="-4") == "bad-number"
    assert refused(nodes="two") == "bad-number"
    assert refused(time_limit="12:99x") == "bad-number"
    assert refused(started="yesterday") == "bad-time"
    assert refused(job_id="") == "unparsable"
    with pytest.raises(Refusal, match="17 fields instead of 18"):
        READER.job(raw(1)[:-1])
    with pytest.raises(Refusal, match="ran for 4000 s in 3600 s"):
        READER.job(raw(1, started=START, ended=START + 3600, elapsed=4000))


@pytest.mark.parametrize(
    ("start", "end", "elapsed", "real"),
    [
        ("2025-10-26T01:30:00", "2025-10-26T02:30:00", "3600", 3600),
        ("2025-10-26T01:30:00", "2025-10-26T02:30:00", "7200", 7200),
        ("2026-03-29T01:30:00", "2026-03-29T03:30:00", "", 3600),
        ("2025-10-26T02:30:00+02:00", "2025-10-26T02:30:00+01:00", "", 3600),
    ],
)
def test_a_job_across_a_change_of_the_clocks_is_as_long_as_it_was(
    start: str, end: str, elapsed: str, real: int
) -> None:
    job = BERLIN.job(raw(1, submitted="2025-10-01T00:00:00", started=start, ended=end, elapsed=elapsed))
    assert job[AT["ended"]] - job[AT["started"]] == job[AT["elapsed"]] == real


def test_an_hour_that_comes_twice_and_one_that_never_came_are_refused_where_nothing_tells() -> None:
    for moment, said in (("2025-10-26T02:30:00", "comes twice"), ("2026-03-29T02:30:00", "was skipped")):
        row = raw(1, submitted="2025-10-01T00:00:00", started=moment, ended="2026-03-30T00:00:00")
        row[10] = ""
        with pytest.raises(Refusal, match=said):
            BERLIN.job(row)


def test_tres_have_their_units() -> None:
    found = tres_of("billing=8,cpu=4,energy=1.5K,gres/gpu:a100=2,gres/gpu:v100=1,mem=1.5G,node=1")
    assert (found.gpus, found.memory, found.billing) == (3, 1.5, 8)  # type: ignore[comparison-overlap]
    assert found.all["energy"] == 1500
    assert tres_of("cpu=1,gres/gpu=5,gres/gpu:a100=5,mem=512M").gpus == 5
    assert tres_of("").gpus is None
    for wrong in ("cpu", "cpu=x", "mem=12Q"):
        with pytest.raises(ValueError, match="is no"):
            tres_of(wrong)


def test_a_file_without_tres_may_tell_what_a_job_had_in_columns_of_their_own() -> None:
    reader = replace(READER, further=("GPUs", "site", "memory", "billing"))
    row = reader.job([*raw(1, tres=""), "2", "x", "128", ""])
    assert tres_of(row[AT["tres"]])[:3] == (Decimal(2), Decimal(128), None)
    assert reader.job([*raw(1, tres="gres/gpu=1"), "2", "x", "128", ""])[AT["tres"]] == "gres/gpu=1"
    with pytest.raises(Refusal) as error:
        reader.job([*raw(1, tres=""), "-2", "x", "", ""])
    assert error.value.code == "tres"


def test_files_have_heads_of_ours_or_of_sacct_or_as_the_configuration_says() -> None:
    required = [one.name for one in RAW if one.required]
    ours = csv_rows(
        [",".join(NAMES).encode() + b"\n", ",".join(raw(1)).replace("billing=4,cpu=4,mem=100M,node=1", "").encode()],
        {},
        NAMES,
        required,
        "ours",
    )
    assert next(ours.pieces)[1] == [tuple(raw(1, tres=""))]
    head = "|".join(one.sacct for one in RAW)
    text = head + "|Comment\n" + "|".join([*raw(2, name='a "quoted" name'), "hello"]) + "\n"
    theirs = csv_rows([text.encode()], {}, NAMES, required, "sacct")
    numbers, piece = next(theirs.pieces)
    assert (list(numbers), piece, theirs.further) == ([2], [(*raw(2, name='a "quoted" name'), "hello")], ("Comment",))
    named = csv_rows([b"Id;" + ";".join(NAMES[1:]).encode() + b"\n3;;\n"], {"job_id": "Id"}, NAMES, required, "named")
    assert next(named.pieces)[1] == [Bad("it has 3 columns, and the head 18", "3,,")]


def test_json_lines_that_are_none_are_told_and_the_others_read() -> None:
    lines = b'{"job_id": 1, "login": "mara", "name": "\\ud800|"}\n\nno\n[1]\n{"job_id": "2", "Reservation": "r"}'
    rows = json_rows([lines], {}, ["job_id", "login", "name"], ["Reservation"], "file")
    numbers, piece = next(rows.pieces)
    assert list(numbers) == [1, 3, 4, 5]
    assert piece[0] == ["1", "mara", "\\ud800|", ""]
    assert isinstance(piece[1], Bad)
    assert piece[2] == Bad("no JSON object", "[1]\n")
    assert piece[3] == ["2", "", "", "r"]


def test_moments_may_be_told_with_a_zone() -> None:
    assert READER.moment("2026-03-01T00:00:00Z") == READER.moment("2026-03-01T01:00:00+01:00") == START
    assert READER.moment(str(START)) == int(datetime(2026, 3, 1, tzinfo=UTC).timestamp())
