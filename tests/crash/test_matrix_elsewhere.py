"""The crash matrix for kinds that work on other servers: a directory, other nodes, Slurm."""

from pathlib import Path

from tests.support.crash_kinds import ELSEWHERE
from tests.support.crash_matrix import Backend, Elsewhere, Record, play
from tests.support.slapd import PEOPLE, Slapd
from tests.support.slurm import SlurmServer
from tests.support.sshd import SshServer

_OWN, _OWN_BEHIND_ANOTHER = range(2, 3), range(3, 4)
"""The passages of the kind itself."""


def test_a_directory(file: Backend, directory: Slapd, tmp_path: Path, record_property: Record) -> None:
    def look(name: str) -> object:
        entry = directory.directory.read(f"uid={name},{PEOPLE}")
        return sorted(entry.attributes.items()) if entry is not None else None

    play(ELSEWHERE["ldap_entry"], file, tmp_path, record_property, Elsewhere({"ldap": directory.section()}, look))


def test_other_nodes(file: Backend, sshd: SshServer, tmp_path: Path, record_property: Record) -> None:
    there = Elsewhere({"ssh": sshd.section()})
    play(ELSEWHERE["command on nodes"], file, tmp_path, record_property, there, passages=_OWN)


def test_a_projects_account_in_slurm(
    file: Backend, slurm: SlurmServer, tmp_path: Path, record_property: Record
) -> None:
    def look(name: str) -> object:
        return slurm.own(name, "fairshare,maxjobs")

    there = Elsewhere({"slurm": {"conf": str(slurm.conf)}}, look)
    play(ELSEWHERE["slurm_account"], file, tmp_path, record_property, there, passages=_OWN)


def test_a_user_of_an_account_in_slurm(
    file: Backend, slurm: SlurmServer, tmp_path: Path, record_property: Record
) -> None:
    def look(name: str) -> object:
        return [slurm.users(name), sorted(slurm.coordinators(name))]

    there = Elsewhere({"slurm": {"conf": str(slurm.conf)}}, look)
    play(ELSEWHERE["slurm_association"], file, tmp_path, record_property, there, passages=_OWN_BEHIND_ANOTHER)
