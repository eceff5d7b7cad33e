"""The directory over LDAP: how it is reached, and what goes wrong on the way, with a real OpenLDAP server."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ldap
import pytest

from amierules.ports import Directory, DirectoryError, Modification, NoDirectory, Trouble
from amierules.ports import ldap_directory as port
from amierules.ports.ldap_directory import NOT_INSTALLED, Access, LdapDirectory
from tests.support.servers import closed_port
from tests.support.slapd import ADMIN, GROUPS, PASSWORD, PEOPLE, SUFFIX, Certificates, Slapd

BO = f"uid=bo,{PEOPLE}"
PERSON = {"objectClass": ["inetOrgPerson"], "cn": ["Bo"], "sn": ["Sample"]}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secure_server(certificates: Certificates) -> Iterator[Slapd]:
    server = Slapd(certificates)
    yield server
    server.remove()


@pytest.fixture
def server(secure_server: Slapd) -> Slapd:
    secure_server.reset()
    return secure_server


@pytest.fixture
def access(server: Slapd, certificates: Certificates) -> Access:
    return Access(server.uri, True, certificates.ca, ADMIN, lambda: PASSWORD)


def trouble_of(call: Callable[[], object]) -> tuple[Trouble, str]:
    with pytest.raises(DirectoryError) as caught:
        call()
    return caught.value.trouble, str(caught.value)


# ------------------------------------------------------------------ how it is reached


def test_start_tls_and_a_bind(access: Access, server: Slapd) -> None:
    directory = LdapDirectory(access)
    directory.add(BO, PERSON)
    found = directory.read(BO)
    assert found is not None
    assert (found.dn, found.values("SN")) == (BO, ["Sample"])


def test_a_server_that_another_authority_vouches_for_is_refused(access: Access, certificates: Certificates) -> None:
    directory = LdapDirectory(replace(access, ca_file=certificates.other_ca))
    trouble, said = trouble_of(lambda: directory.read(SUFFIX))
    assert trouble is Trouble.AWAY
    assert access.uri in said
    assert "is its certificate for this name" in said
    # And the next one is not spoilt by it.
    assert LdapDirectory(access).read(SUFFIX) is not None


def test_a_server_without_certificate_is_refused(certificates: Certificates, access: Access) -> None:
    plain = Slapd()
    try:
        directory = LdapDirectory(replace(access, uri=plain.uri))
        assert trouble_of(lambda: directory.read(SUFFIX))[0] is Trouble.AWAY
    finally:
        plain.remove()


def test_a_certificate_for_another_name_is_refused(access: Access, server: Slapd) -> None:
    directory = LdapDirectory(replace(access, uri=server.other_uri))
    assert trouble_of(lambda: directory.read(SUFFIX))[0] is Trouble.AWAY


def test_nobody_binds_where_no_dn_is_given(access: Access) -> None:
    directory = LdapDirectory(replace(access, bind_dn=None, password=None))
    assert directory.read(SUFFIX) is not None
    assert trouble_of(lambda: directory.add(BO, PERSON))[0] is Trouble.AWAY


@pytest.mark.parametrize("password", ["wrong", "", None])
def test_a_bind_that_is_refused_is_a_server_that_cannot_be_used(access: Access, password: str | None) -> None:
    def given() -> str:
        if password is None:
            raise ValueError("the secret ldap cannot be read")
        return password

    directory = LdapDirectory(replace(access, password=given))
    trouble, said = trouble_of(lambda: directory.read(SUFFIX))
    assert trouble is Trouble.AWAY
    expected = {"wrong": "Invalid credentials", "": "the password is empty", None: "the secret ldap cannot be read"}
    assert expected[password] in said


def test_the_unix_socket_tells_who_we_are(server: Slapd) -> None:
    directory = LdapDirectory(Access(server.socket, external=True))
    directory.add(BO, PERSON)
    directory.delete(BO)


def test_the_password_is_read_when_a_connection_is_made(access: Access) -> None:
    asked: list[None] = []

    def given() -> str:
        asked.append(None)
        return PASSWORD

    directory = LdapDirectory(replace(access, password=given))
    assert asked == []
    for _ in range(3):
        directory.read(SUFFIX)
    assert len(asked) == 1


def test_without_the_library_the_message_says_how_to_get_it(access: Access, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "ldap", None)
    directory = LdapDirectory(access)
    asked: list[Callable[[], object]] = [
        lambda: directory.dn([{"uid": "bo"}], PEOPLE),
        lambda: directory.filter(["(uid=", "bo", ")"]),
        lambda: directory.read(SUFFIX),
        lambda: directory.modify(SUFFIX, []),
    ]
    assert {trouble_of(one) for one in asked} == {(Trouble.AWAY, NOT_INSTALLED)}
    assert "pip install 'amierules[ldap]'" in NOT_INSTALLED


def test_where_none_is_configured_everything_is_refused() -> None:
    directory: Directory = NoDirectory()
    for call in (lambda: directory.read(SUFFIX), lambda: directory.delete(SUFFIX)):
        assert trouble_of(call) == (Trouble.REFUSED, "the configuration has no section `ldap`")


# ------------------------------------------------------------------ connections that are lost


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    for uri in (
        f"ldap://127.0.0.1:{closed_port()}",
        f"ldapi://{tmp_path}/none".replace("/", "%2F").replace(":%2F%2F", "://"),
    ):
        directory = LdapDirectory(Access(uri))
        for call in (lambda: directory.read(SUFFIX), lambda: directory.delete(SUFFIX)):  # noqa: B023
            trouble, said = trouble_of(call)
            assert (trouble, uri in said) == (Trouble.AWAY, True)


def test_what_only_reads_survives_a_restart(access: Access, server: Slapd) -> None:
    directory = LdapDirectory(access)
    directory.read(SUFFIX)
    server.stop()
    assert trouble_of(lambda: directory.read(SUFFIX))[0] is Trouble.AWAY
    server.start()
    assert directory.read(SUFFIX) is not None
    server.stop()
    server.start()
    assert directory.read(SUFFIX) is not None
    assert directory.compare(SUFFIX, "o", "example")


def test_a_change_on_a_lost_connection_may_have_been_made(access: Access, server: Slapd) -> None:
    directory = LdapDirectory(access)
    directory.read(SUFFIX)
    server.stop()
    server.start()
    trouble, _ = trouble_of(lambda: directory.add(BO, PERSON))
    assert trouble is Trouble.LOST
    directory.add(BO, PERSON)


def test_a_server_that_does_not_answer_is_given_up(access: Access, server: Slapd) -> None:
    directory = LdapDirectory(replace(access, timeout=30))
    directory.read(SUFFIX)
    process = server._process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    try:
        assert trouble_of(lambda: directory.add(BO, PERSON, timeout=0.2))[0] is Trouble.LOST
        impatient = LdapDirectory(replace(access, timeout=0.2))
        assert trouble_of(lambda: impatient.read(SUFFIX))[0] is Trouble.AWAY
    finally:
        os.kill(process.pid, signal.SIGCONT)


def test_a_server_that_says_nothing_at_all_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        directory = LdapDirectory(Access(f"ldap://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2))
        trouble, _ = trouble_of(lambda: directory.read(SUFFIX))
    assert trouble is Trouble.AWAY


def test_each_thread_has_a_connection_of_its_own(access: Access) -> None:
    directory = LdapDirectory(access)
    found: list[object] = []

    def ask() -> None:
        for _ in range(20):
            found.append(directory.read(PEOPLE))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 80
    assert None not in found


def test_a_process_that_is_forked_leaves_the_connection_alone(access: Access) -> None:
    directory = LdapDirectory(access)
    directory.read(SUFFIX)
    child = os.fork()
    if child == 0:
        os._exit(0 if directory.read(PEOPLE) is not None else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert directory.read(SUFFIX) is not None


# ------------------------------------------------------------------ what the server says


@pytest.mark.parametrize(
    ("call", "trouble"),
    [
        (lambda one: one.add(PEOPLE, {"objectClass": ["organizationalUnit"], "ou": ["people"]}), Trouble.EXISTS),
        (lambda one: one.add(f"uid=x,ou=none,{SUFFIX}", PERSON), Trouble.NOT_THERE),
        (lambda one: one.delete(BO), Trouble.NOT_THERE),
        (lambda one: one.delete(PEOPLE), Trouble.REFUSED),
        (lambda one: one.modify(BO, [Modification("add", "mail", ["x"])]), Trouble.NOT_THERE),
        (lambda one: one.modify(PEOPLE, [Modification("add", "ou", ["PEOPLE"])]), Trouble.VALUE_EXISTS),
        (lambda one: one.modify(PEOPLE, [Modification("delete", "ou", ["other"])]), Trouble.NO_SUCH_VALUE),
        (lambda one: one.modify(PEOPLE, [Modification("add", "uidNumber", ["1"])]), Trouble.REFUSED),
        (lambda one: one.search(f"ou=none,{SUFFIX}", "sub", "(uid=x)", ()), Trouble.NOT_THERE),
        (lambda one: one.search(SUFFIX, "sub", "(uid=x", ()), Trouble.REFUSED),
        (lambda one: one.read("no dn"), Trouble.REFUSED),
    ],
)
def test_what_goes_wrong_is_told_apart(server: Slapd, call: Callable[[Any], object], trouble: Trouble) -> None:
    before = server.tree()
    assert trouble_of(lambda: call(server.directory))[0] is trouble
    assert server.tree() == before


def test_a_number_that_must_be_unique_is_a_violation(server: Slapd) -> None:
    account = {**PERSON, "objectClass": ["inetOrgPerson", "posixAccount"], "uidNumber": ["38"], "gidNumber": ["1"]}
    trouble, said = trouble_of(lambda: server.directory.add(BO, {**account, "homeDirectory": ["/"], "uid": ["bo"]}))
    assert trouble is Trouble.VIOLATION
    assert "non-unique attributes" in said


def test_too_many_entries_are_an_error(server: Slapd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "MOST_ENTRIES", 2)
    assert len(server.directory.search(SUFFIX, "one", "(ou=*)", ())) == 2
    trouble, said = trouble_of(lambda: server.directory.search(SUFFIX, "sub", "(objectClass=*)", ()))
    assert (trouble, said) == (Trouble.REFUSED, "more entries match than the server gives, or than 2")


def test_values_that_are_no_text_are_marked(server: Slapd) -> None:
    server.directory.add(BO, {**PERSON, "jpegPhoto": ["x"]})
    raw = server.directory._connected()
    raw.modify_s(BO, [(ldap.MOD_REPLACE, "jpegPhoto", [b"\xff\xd8"])])
    entry = server.directory.read(BO)
    assert entry is not None
    assert entry.values("jpegPhoto") == ["base64:/9g="]


def test_the_server_says_whether_a_value_is_the_same(server: Slapd) -> None:
    compare = server.directory.compare
    crew = f"cn=crew,{GROUPS}"
    assert compare(crew, "cn", "CREW")
    assert not compare(crew, "memberUid", "LISTER")
    assert not compare(crew, "gidNumber", "many")
    assert not compare(crew, "noSuchAttribute", "x")
    assert not compare(BO, "cn", "x")
