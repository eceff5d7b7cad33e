"""All real parts at once: PostgreSQL, OpenLDAP, Slurm, sshd, and servers for Slack's webhook and for mail."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.servers import mail_server, web_server
from tests.support.slapd import Slapd
from tests.support.slurm import SlurmServer
from tests.support.sshd import SshServer
from tests.support.whole_site import Parts


@pytest.fixture
def parts(
    postgres_ready_url: str, directory: Slapd, slurm: SlurmServer, sshd: SshServer, tmp_path: Path
) -> Iterator[Parts]:
    """The parts, as they are before the first packet."""
    mapfile = tmp_path / "grid-mapfile"
    mapfile.write_text('# kept by hand\n"/CN=Somebody else\'s" lister\n', encoding="utf-8")
    with web_server() as web, mail_server() as mail:
        yield Parts(postgres_ready_url, directory, slurm, sshd, web, mail, mapfile)
