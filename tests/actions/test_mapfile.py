"""A grid-mapfile is read as the Grid Community Toolkit reads it, and what is not ours to change is kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amierules.actions.mapfile import MapFile, Unfit, dn_bytes, read, written

ANN = b"/C=US/O=Org/CN=Ann Example"


def logins(content: bytes, dn: bytes = ANN) -> list[bytes]:
    """The logins of the first line of a DN."""
    return next((list(line.logins) for line in MapFile.of(content).lines if line.dn == dn), [])


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (b'"/C=US/O=Org/CN=Ann Example" ann', [b"ann"]),
        (b'"/C=US/O=Org/CN=Ann Example" ann,bob,cal\n', [b"ann", b"bob", b"cal"]),
        (b'\t "/C=US/O=Org/CN=Ann Example"\tann staff # a comment\n', [b"ann"]),
        (b'"/C=US/O=Org/CN=Ann Example" ann, bob\r\n', [b"ann"]),
        (b'"/C=US/O=Org/CN=Ann Example" ann,,bob\n', [b"ann", b"bob"]),
        (b'"/C=US/O=Org/CN=Ann Example"ann\n', [b"ann"]),
        (b'"/C=US/O=Org/CN=Ann\\x20E\\xample" ann\n', [b"ann"]),
        (b'#"/C=US/O=Org/CN=Ann Example" ann\n', []),
        (b'"/C=US/O=Org/CN=Ann Example ann\n', []),
        (b'"/C=US/O=Org/CN=Ann Example"\n', []),
        (b"/C=US/O=Org/CN=Ann Example ann\n", []),
        (b'"/C=US/O=Org/CN=ann example" ann\n', []),
        (b"\n", []),
        (b"", []),
    ],
)
def test_a_line_is_read(line: bytes, wanted: list[bytes]) -> None:
    assert logins(line) == wanted


def test_a_dn_without_spaces_may_stand_without_quotes() -> None:
    assert logins(b"/DC=edu/CN=ann ann\n", b"/DC=edu/CN=ann") == [b"ann"]
    assert logins(b"/DC=edu/CN=ann\n", b"/DC=edu/CN=ann") == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b'"/C=US/O=Org/CN=Ann Example" new\n'),
        (b"# ours", b'# ours\n"/C=US/O=Org/CN=Ann Example" new\n'),
        (b"# ours\r\n", b'# ours\r\n"/C=US/O=Org/CN=Ann Example" new\n'),
        (b'"/C=US/O=Org/CN=Ann Example" a\n\n', b'"/C=US/O=Org/CN=Ann Example" a,new\n\n'),
        (b'"/C=US/O=Org/CN=Ann Example" a,b # x\r\n', b'"/C=US/O=Org/CN=Ann Example" a,b,new # x\r\n'),
        (b'"/C=US/O=Org/CN=Ann Example" a, b\n', b'"/C=US/O=Org/CN=Ann Example" a,new, b\n'),
        (b'"/C=US/O=Org/CN=Ann Example"', b'"/C=US/O=Org/CN=Ann Example" new'),
        (b'"/C=US/O=Org/CN=Ann Example" \n', b'"/C=US/O=Org/CN=Ann Example" new\n'),
        # Only the first line of a DN counts.
        (
            b'"/C=US/O=Org/CN=Ann Example" a\n"/C=US/O=Org/CN=Ann Example" new\n',
            b'"/C=US/O=Org/CN=Ann Example" a,new\n"/C=US/O=Org/CN=Ann Example" new\n',
        ),
        (b'"/C=US/O=Org/CN=Ann Example" a,new\n', b'"/C=US/O=Org/CN=Ann Example" a,new\n'),
    ],
)
def test_a_login_is_added(before: bytes, after: bytes) -> None:
    assert MapFile.of(before).with_entry(ANN, b"new").content == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b'a b\n"/C=US/O=Org/CN=Ann Example" old\nc d', b"a b\nc d"),
        (b'"/C=US/O=Org/CN=Ann Example" old # x', b""),
        (b'"/C=US/O=Org/CN=Ann Example" old,b\n', b'"/C=US/O=Org/CN=Ann Example" b\n'),
        (b'"/C=US/O=Org/CN=Ann Example" a,old,b\n', b'"/C=US/O=Org/CN=Ann Example" a,b\n'),
        (b'"/C=US/O=Org/CN=Ann Example" a, old # x\r\n', b'"/C=US/O=Org/CN=Ann Example" a # x\r\n'),
        (b'"/C=US/O=Org/CN=Ann Example" old,a,old\n', b'"/C=US/O=Org/CN=Ann Example" a\n'),
        (b'"/C=US/O=Org/CN=Ann Example" a old\n', b'"/C=US/O=Org/CN=Ann Example" a\n'),
        (b'"/C=US/O=Org/CN=Ann Example" old b\n', b'"/C=US/O=Org/CN=Ann Example" b\n'),
        (b'"/C=US/O=Org/CN=Ann Example" older\n', b'"/C=US/O=Org/CN=Ann Example" older\n'),
        (b'"/C=US/O=Org/CN=ann example" old\n', b'"/C=US/O=Org/CN=ann example" old\n'),
    ],
)
def test_a_login_is_removed(before: bytes, after: bytes) -> None:
    assert MapFile.of(before).without_entry(ANN, b"old").content == after


@pytest.mark.parametrize(
    ("dn", "text"),
    [
        ("/CN=Ann Example", "/CN=Ann Example"),
        ("/CN=Jürgen", "/CN=Jürgen"),
        ('/CN=Ann "Annie" Example', "/CN=Ann \\x22Annie\\x22 Example"),
        ("/CN=J\\xC3\\xBCrgen", "/CN=J\\x5cxC3\\x5cxBCrgen"),
        ("/CN=ends in \\", "/CN=ends in \\x5c"),
        ("/CN=a\n/CN=root root\r\t\x1b[2J", "/CN=a\\x0a/CN=root root\\x0d\\x09\\x1b[2J"),
        ("/CN=a\x85b\u2028c", "/CN=a\\xc2\\x85b\\xe2\\x80\\xa8c"),
    ],
)
def test_a_dn_is_escaped_where_it_must_be(dn: str, text: str) -> None:
    assert written(dn_bytes(dn)) == text
    assert read(text) == dn.encode()


@pytest.mark.parametrize(("dn", "why"), [("", "is empty"), (" ", "is empty"), ("a\0b", "NUL"), ("\ud800", "UTF-8")])
def test_a_dn_that_no_file_can_hold_is_refused(dn: str, why: str) -> None:
    with pytest.raises(Unfit, match=why):
        dn_bytes(dn)


def test_a_line_that_older_readers_cut_is_not_made() -> None:
    with pytest.raises(Unfit, match="more than 1000 bytes"):
        MapFile.of(b"").with_entry(b"/CN=" + b"x" * 1000, b"ann")
    full = MapFile.of(b"").with_entry(b"/CN=" + b"x" * 980, b"ann")
    with pytest.raises(Unfit, match="more than 1000 bytes"):
        full.with_entry(b"/CN=" + b"x" * 980, b"a-long-login")


DNS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40).filter(
    lambda text: bool(text.strip())
)
LOGINS = st.from_regex(r"\A[a-z][a-z0-9]{0,8}\Z")
FOREIGN = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.builds(lambda dn, login: f'"{written(dn.encode())}" {login}\n'.encode(), DNS, LOGINS),
        st.sampled_from([b"\n", b"\r\n", b"# x\n", b'"/CN=a\n', b"/CN=b c\r\n", b'"/CN=d" e, f # g\n']),
    ),
    max_size=8,
).map(b"".join)


@given(FOREIGN)
def test_what_is_read_is_written_again(content: bytes) -> None:
    assert MapFile.of(content).content == content


@given(FOREIGN, st.lists(DNS, min_size=1, max_size=4, unique=True), LOGINS)
def test_foreign_lines_are_kept_byte_for_byte(content: bytes, dns: list[str], login: str) -> None:
    before = MapFile.of(content)
    after = before
    for dn in dns:
        after = after.with_entry(dn.encode(), login.encode())
    ours = {dn.encode() for dn in dns}
    kept = [line.raw for line in before.lines if line.dn not in ours]
    still = [line.raw for line in after.lines if line.dn not in ours]
    assert still in (kept, [*kept[:-1], *(line + b"\n" for line in kept[-1:])])
    assert all(after.stands_for(dn.encode(), login.encode()) for dn in dns)
    assert MapFile.of(after.content).content == after.content
    assert [line.dn for line in MapFile.of(after.content).lines] == [line.dn for line in after.lines]
    for dn in dns:
        after = after.without_entry(dn.encode(), login.encode())
    assert [line.raw for line in after.lines if line.dn not in ours] == still
    assert not any(after.names(dn.encode(), login.encode()) for dn in dns)


@given(DNS)
def test_a_dn_survives_its_notation(dn: str) -> None:
    assert read(written(dn.encode())) == dn.encode()
    (line,) = MapFile.of(b"").with_entry(dn.encode(), b"ann").lines
    assert (line.dn, line.logins, line.raw.count(b"\n")) == (dn.encode(), (b"ann",), 1)


@given(st.binary(max_size=60))
def test_any_bytes_survive_their_notation(dn: bytes) -> None:
    assert read(written(dn)) == dn
