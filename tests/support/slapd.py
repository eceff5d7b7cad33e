"""A real OpenLDAP server for tests: on loopback and a unix socket, in a scratch folder, gone with the process."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from amierules.ports import Entry
from amierules.ports.ldap_directory import Access, LdapDirectory
from tests.support import real
from tests.support.servers import closed_port

SUFFIX = "dc=example,dc=org"
PEOPLE, GROUPS = f"ou=people,{SUFFIX}", f"ou=groups,{SUFFIX}"
ADMIN, PASSWORD = f"cn=admin,{SUFFIX}", "s3cret-of-the-directory"
_UNIQUE = """\
moduleload unique
overlay unique
unique_uri ldap:///?uidNumber?sub?(objectClass=posixAccount)
"""
_TREE: Sequence[tuple[str, Mapping[str, Sequence[str]]]] = (
    (SUFFIX, {"objectClass": ["dcObject", "organization"], "dc": ["example"], "o": ["Example"]}),
    (PEOPLE, {"objectClass": ["organizationalUnit"], "ou": ["people"]}),
    (GROUPS, {"objectClass": ["organizationalUnit"], "ou": ["groups"]}),
    (
        f"uid=lister,{PEOPLE}",
        {
            "objectClass": ["inetOrgPerson", "posixAccount"],
            "uid": ["lister"],
            "cn": ["List Er"],
            "sn": ["Er"],
            "uidNumber": ["38"],
            "gidNumber": ["38"],
            "homeDirectory": ["/var/list"],
        },
    ),
    (
        f"cn=crew,{GROUPS}",
        {"objectClass": ["posixGroup"], "cn": ["crew"], "gidNumber": ["777"], "memberUid": ["lister"]},
    ),
)


@dataclass(frozen=True)
class Certificates:
    """A certificate authority, and what it has signed for the server; and one that has signed nothing."""

    ca: Path
    server: Path
    key: Path
    other_ca: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificates":
        """Makes them with openssl."""
        real.require("openssl")
        made = cls(folder / "ca.pem", folder / "server.pem", folder / "server.key", folder / "other.pem")
        for ca in (made.ca, made.other_ca):
            _openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={ca.stem}",
                     "-keyout", str(ca.with_suffix(".key")), "-out", str(ca))  # fmt: skip
        request, names = folder / "server.csr", folder / "names"
        names.write_text("subjectAltName=IP:127.0.0.1\n", encoding="utf-8")
        _openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=slapd",
                 "-keyout", str(made.key), "-out", str(request))  # fmt: skip
        _openssl("x509", "-req", "-in", str(request), "-days", "2", "-CA", str(made.ca), "-CAcreateserial",
                 "-CAkey", str(made.ca.with_suffix(".key")), "-extfile", str(names),
                 "-out", str(made.server))  # fmt: skip
        return made


class Slapd:
    """A server with a small tree: people and groups, and one of each that is not ours."""

    def __init__(self, certificates: Certificates | None = None, *, unique: bool = True) -> None:
        self.program = real.require("slapd")
        self.folder = Path(tempfile.mkdtemp(prefix="amierules-ldap-", dir="/tmp"))
        self.port, self.secure_port = closed_port(), closed_port() if certificates else None
        self._process: subprocess.Popen[bytes] | None = None
        (self.folder / "db").mkdir()
        (self.folder / "slapd.conf").write_text(self._configuration(certificates, unique), encoding="utf-8")
        self.directory = LdapDirectory(Access(self.socket, external=True))
        try:
            self.start()
            self.reset()
        except BaseException:
            self.remove()
            raise
        real.used("slapd")

    @property
    def uri(self) -> str:
        """Its address on loopback, for which its certificate is."""
        return f"ldap://127.0.0.1:{self.port}"

    @property
    def other_uri(self) -> str:
        """Another address of it, for which its certificate is not."""
        return f"ldap://127.0.0.2:{self.port}"

    @property
    def secure_uri(self) -> str:
        """Its address on loopback where nothing is said before TLS; of a server with certificates."""
        return f"ldaps://127.0.0.1:{self.secure_port}"

    @property
    def other_secure_uri(self) -> str:
        """Another such address, for which its certificate is not."""
        return f"ldaps://127.0.0.2:{self.secure_port}"

    @property
    def socket(self) -> str:
        """Its unix socket, by which it takes root and whoever started it for its administrator."""
        return f"ldapi://{quote(str(self.folder / 'ldapi'), safe='')}"

    def section(self, **changed: Any) -> dict[str, Any]:
        """What a site's configuration says of it."""
        plain = {
            "uri": self.socket,
            "sasl": "external",
            "base": SUFFIX,
            "bases": {"people": PEOPLE, "groups": GROUPS},
            **changed,
        }
        return {key: value for key, value in plain.items() if value is not None}

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        secured = f"{self.secure_uri} {self.other_secure_uri}" if self.secure_port else ""
        places = f"{self.uri} {self.other_uri} {self.socket} {secured}".strip()
        command = [
            str(self.program),
            "-f",
            str(self.folder / "slapd.conf"),
            "-h",
            places,
            "-d",
            "0",
        ]
        # The server ends with this process, even when that is killed.
        if setpriv := shutil.which("setpriv"):
            command = [setpriv, "--pdeathsig", "INT", *command]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not (self.folder / "ldapi").exists() or not self._answers():
            assert self._process.poll() is None, (self.folder / "log").read_text(encoding="utf-8")
            assert time.monotonic() < deadline, "slapd does not answer"
            time.sleep(0.01)

    def stop(self) -> None:
        """Ends the server, and with it all connections."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=30)
            self._process = None
            (self.folder / "ldapi").unlink(missing_ok=True)

    def remove(self) -> None:
        """Stops the server and removes its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def tree(self) -> dict[str, dict[str, list[str]]]:
        """All entries by DN, with all their attributes but those of the server's own; classes and values sorted."""
        found = self.directory.search(SUFFIX, "sub", "(objectClass=*)", ())
        return {entry.dn: {name: sorted(values) for name, values in entry.attributes.items()} for entry in found}

    def entry(self, dn: str) -> Entry | None:
        """One entry."""
        return self.directory.read(dn)

    def reset(self) -> None:
        """The tree as it was at first."""
        if self.directory.read(SUFFIX) is not None:
            found = self.directory.search(SUFFIX, "sub", "(objectClass=*)", ())
            for entry in sorted(found, key=lambda one: len(one.dn.split(",")), reverse=True):
                self.directory.delete(entry.dn)
        for dn, attributes in _TREE:
            self.directory.add(dn, attributes)

    def _answers(self) -> bool:
        return (
            subprocess.run(
                ["ldapwhoami", "-H", self.socket, "-Q", "-Y", "EXTERNAL"], capture_output=True, check=False
            ).returncode
            == 0
        )

    def _configuration(self, certificates: Certificates | None, unique: bool) -> str:
        schemas = [f"include /etc/ldap/schema/{name}.schema" for name in ("core", "cosine", "nis", "inetorgperson")]
        secured = [f"TLSCACertificateFile {certificates.ca}", f"TLSCertificateFile {certificates.server}",
                   f"TLSCertificateKeyFile {certificates.key}"] if certificates else []  # fmt: skip
        peer = f"gidNumber={os.getegid()}[+]uidNumber={os.geteuid()},cn=peercred,cn=external,cn=auth"
        lines = [
            *schemas,
            *secured,
            f'authz-regexp "^{peer}$" "{ADMIN}"',
            "modulepath /usr/lib/ldap",
            "moduleload back_mdb",
            "database mdb",
            "maxsize 67108864",
            "dbnosync",
            f'suffix "{SUFFIX}"',
            f'rootdn "{ADMIN}"',
            f"rootpw {PASSWORD}",
            f"directory {self.folder / 'db'}",
            "index objectClass,uid,uidNumber,gidNumber,memberUid,cn eq",
            *([_UNIQUE] if unique else []),
        ]
        return "\n".join(lines) + "\n"


@contextmanager
def slapd(certificates: Certificates | None = None, *, unique: bool = True) -> Iterator[Slapd]:
    """A server of its own."""
    server = Slapd(certificates, unique=unique)
    try:
        yield server
    finally:
        server.remove()


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)
