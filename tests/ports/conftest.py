"""What the tests of the outside world share."""

from collections.abc import Iterator

import pytest

from tests.support.sshd import SshServer


@pytest.fixture(scope="session")
def sshd() -> Iterator[SshServer]:
    """A real sshd on three addresses."""
    server = SshServer()
    yield server
    server.remove()
