"""A real Slurm for tests: munge, MariaDB and slurmdbd, and a cluster of one node, in a scratch folder of its own."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from amierules.actions.base import Kind, Surroundings
from amierules.ports import Processes
from tests.support import real
from tests.support.servers import closed_port
from tests.support.shadow import Runner

PROGRAMS = ("mariadbd", "mariadb-install-db", "munged", "slurmdbd", "slurmctld", "slurmd", "sacctmgr", "setpriv")
CLUSTER = "alpha"
"""The cluster that runs jobs."""
PATIENCE = 60
JOB_USER = "games"
"""An account of every Debian, whose jobs are run: Slurm wants one that the host knows."""

_DBD = """\
AuthType=auth/munge
AuthInfo=socket={socket}
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={dbd}
{dbd_listens}SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql}
StorageUser=slurm
StoragePass=pw
StorageLoc=slurm_acct_db
PidFile={folder}/slurmdbd.pid
LogFile={folder}/slurmdbd.log
DebugLevel=info
"""
_CONF = """\
ClusterName={cluster}
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ctld}
SlurmdPort={slurmd}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={socket}
{ctld_listens}AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd}
AccountingStoragePass={socket}
AccountingStorageEnforce=associations,limits,qos,safe
AccountingStorageTRES=gres/gpu
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
PreemptType=preempt/qos
PreemptMode=CANCEL
PriorityType=priority/multifactor
PriorityDecayHalfLife=0
PriorityUsageResetPeriod=YEARLY
PriorityCalcPeriod=1
GresTypes=gpu
MpiDefault=none
ReturnToService=2
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
MailProg=/bin/true
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=1000 Gres=gpu:2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=60 State=UP
"""
_GRES = "Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n"
_SQL = (
    "CREATE DATABASE slurm_acct_db; CREATE USER 'slurm'@'127.0.0.1' IDENTIFIED BY 'pw';"
    "GRANT ALL ON slurm_acct_db.* TO 'slurm'@'127.0.0.1'; FLUSH PRIVILEGES;"
)


class SlurmServer:
    """The daemons and their folder. Each daemon ends with this process, even when that is killed."""

    def __init__(self) -> None:
        real.require_root()
        programs = {name: real.require(name) for name in PROGRAMS}
        self._programs = {name: str(path) for name, path in programs.items()}
        self.folder = Path(tempfile.mkdtemp(prefix="amierules-slurm-", dir="/tmp"))
        self.folder.chmod(0o755)
        for name in ("munge", "secret", "sql", "state", "spool"):
            (self.folder / name).mkdir(mode=0o700 if name == "secret" else 0o755)
        self._ports = {name: closed_port() for name in ("dbd", "sql", "ctld", "slurmd")}
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._configure()
        self._start_munge()
        self._start_database()
        self.start_dbd()
        self.sacctmgr("add", "cluster", CLUSTER)
        self._start_cluster()
        real.used("slurm", self.sacctmgr("-V").removeprefix("slurm-wlm ").strip())

    @property
    def conf(self) -> Path:
        """The path of slurm.conf."""
        return self.folder / "slurm.conf"

    @property
    def section(self) -> dict[str, Any]:
        """The configuration's section `slurm` that means this one, as the configuration's reader leaves it."""
        return {"conf": str(self.conf), "cluster": CLUSTER, "timeout": PATIENCE}

    @property
    def environment(self) -> Mapping[str, str]:
        """What the programs of Slurm need to find this one."""
        return {**os.environ, "SLURM_CONF": str(self.conf)}

    def start_dbd(self) -> None:
        """Starts slurmdbd and waits until it answers."""
        self._start("slurmdbd", "-D")
        self._until("slurmdbd", lambda: self._asked(self._programs["sacctmgr"], "-nP", "show", "cluster"))

    def stop_dbd(self) -> None:
        """Ends slurmdbd: what asks it now is refused a connection."""
        self._stop("slurmdbd")

    def remove(self) -> None:
        """Ends all daemons and removes the folder."""
        for name in reversed(list(self._daemons)):
            self._stop(name)
        shutil.rmtree(self.folder, ignore_errors=True)

    def output(self, *command: str, user: str | None = None) -> str:
        """What a program of Slurm prints; it must succeed."""
        return self.run(*command, user=user, check=True).stdout

    def run(self, *command: str, user: str | None = None, check: bool = False) -> subprocess.CompletedProcess[str]:
        """Runs a program of Slurm, as another user where one is named."""
        return subprocess.run(
            command,
            env=self.environment,
            user=user,
            check=check,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            cwd="/",
        )

    def sacctmgr(self, *words: str) -> str:
        """What sacctmgr prints when it is told to do something, and not to ask back; it must succeed."""
        return self.output("sacctmgr", "-i", *words)

    def show(self, what: str, columns: str, *words: str) -> list[list[str]]:
        """The rows that `sacctmgr show` has."""
        printed = self.sacctmgr("-nP", "show", what, *words, f"format={columns}")
        return [line.split("|") for line in printed.splitlines()]

    def clean(self) -> None:
        """Removes all accounts and users that tests have made, once their jobs have ended."""
        deadline = time.monotonic() + PATIENCE
        while not self._is_clean() and time.monotonic() < deadline:
            time.sleep(0.2)

    def _is_clean(self) -> bool:
        """Removes what can be removed, one by one where not all together; whether nothing was left."""
        left = False
        for what in ("user", "account"):  # an account that is a user's default is not removed
            names = sorted({row[0] for row in self.show(what, what)} - {"root"})
            if names and self.run("sacctmgr", "-i", "delete", what, f"name={','.join(names)}").returncode != 0:
                for name in names:
                    self.run("sacctmgr", "-i", "delete", what, f"name={name}")
            left |= bool(names)
        return not left

    def users(self, account: str) -> dict[str, str]:
        """The users of an account on the cluster, each with how many jobs they may submit: '' for any number."""
        where = ("where", f"account={account}", f"cluster={CLUSTER}", "wopl")
        return {row[0]: row[1] for row in self.show("assoc", "user,grpsubmit", *where) if row[0]}

    def coordinators(self, account: str) -> set[str]:
        """Who may manage the account's users."""
        ((names,),) = self.show("account", "coordinators", "where", f"account={account}", "withcoordinator")
        return {name for name in names.split(",") if name}

    def own(self, account: str, columns: str) -> list[str]:
        """Columns of an account's own association with the cluster; none where there is none."""
        rows = self.show("assoc", columns, "where", f"account={account}", f"cluster={CLUSTER}", "user=", "wopl")
        return rows[0] if rows else []

    def usage(self, account: str) -> int:
        """The account's use that limits count."""
        words = ("sshare", "-nP", "-A", account, "-o", "account,user,rawusage")
        rows = (line.split("|") for line in self.output(*words).splitlines())
        return sum(int(row[2]) for row in rows if (row[0].strip(), row[1]) == (account, ""))

    def until_used(self, account: str) -> None:
        """Waits until slurmctld has counted what an account's jobs have used."""
        self._until("slurmctld", lambda: self.usage(account) > 0)

    def submit(self, account: str, *options: str, user: str = JOB_USER, script: str = "sleep 2") -> str:
        """Submits a job and returns its number."""
        return self.try_to_submit(account, *options, user=user, script=script, check=True).stdout.strip()

    def try_to_submit(
        self, account: str, *options: str, user: str = JOB_USER, script: str = "true", check: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """What sbatch says to a job of a user on an account."""
        words = ("--parsable", f"--uid={user}", "-A", account, "-n1", "--mem=50", "-t", "1", "-o", "/dev/null")
        return self.run("sbatch", *words, *options, f"--wrap={script}", check=check)

    def ended(self, job: str) -> str:
        """The state in which a job ended, once it has."""
        seen = ""

        def over() -> bool:
            nonlocal seen
            seen = self.output("sacct", "-nPX", "-j", job, "-o", "state").strip()
            return seen not in ("", "PENDING", "RUNNING", "COMPLETING")

        self._until("slurmctld", over)
        return seen

    def _configure(self) -> None:
        values = {
            **self._ports,
            "folder": self.folder,
            "socket": self.folder / "munge" / "socket",
            **_listening(),
            "host": socket.gethostname().split(".")[0],
            "cpus": os.cpu_count(),
            "cluster": CLUSTER,
        }
        for name, text in (("slurmdbd.conf", _DBD), ("slurm.conf", _CONF), ("gres.conf", _GRES)):
            (self.folder / name).write_text(text.format(**values), encoding="ascii")
        (self.folder / "slurmdbd.conf").chmod(0o600)

    def _start_munge(self) -> None:
        key, seed = self.folder / "secret" / "key", self.folder / "secret" / "seed"
        key.write_bytes(os.urandom(1024))
        key.chmod(0o400)
        words = [f"--key-file={key}", f"--seed-file={seed}", f"--socket={self.folder}/munge/socket", "--num-threads=1"]
        words += [f"--pid-file={self.folder}/munge/pid", f"--log-file={self.folder}/secret/log"]
        self._start("munged", "--foreground", *words)
        self._until("munged", (self.folder / "munge" / "socket").exists)

    def _start_database(self) -> None:
        data, address = self.folder / "sql" / "data", self.folder / "sql" / "socket"
        install = ["--no-defaults", "--user=root", f"--datadir={data}", "--auth-root-authentication-method=normal"]
        command = [self._programs["mariadb-install-db"], *install, "--skip-test-db", "--skip-name-resolve"]
        subprocess.run(command, check=True, capture_output=True, cwd="/")
        self._start(
            "mariadbd",
            "--no-defaults",
            "--user=root",
            f"--datadir={data}",
            f"--socket={address}",
            f"--pid-file={self.folder}/sql/pid",
            "--bind-address=127.0.0.1",
            f"--port={self._ports['sql']}",
            "--skip-name-resolve",
            "--innodb-buffer-pool-size=64M",
            "--innodb-log-file-size=16M",
            "--innodb-flush-log-at-trx-commit=0",
            "--skip-innodb-doublewrite",
            # Otherwise parallel writers end slurmdbd by a deadlock.
            "--transaction-isolation=READ-COMMITTED",
        )
        client = ["mariadb", "--no-defaults", "-u", "root", "-S", str(address), "-e"]
        self._until("mariadbd", lambda: self._asked(*client, "select 1"))
        self.output(*client, _SQL)

    def _start_cluster(self) -> None:
        self._start("slurmctld", "-D", "-c")
        self._until("slurmctld", lambda: self._asked("scontrol", "ping"))
        self._start("slurmd", "-D")
        self._until("slurmd", lambda: "idle" in self.output("sinfo", "-h", "-o", "%T"))
        self._until("slurmctld", lambda: self.show("cluster", "controlhost", CLUSTER) != [[""]])

    def _start(self, name: str, *words: str) -> None:
        command = [self._programs["setpriv"], "--pdeathsig", "KILL", self._programs[name], *words]
        with self._output(name) as output:
            self._daemons[name] = subprocess.Popen(
                command, env=self.environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=self.folder
            )

    def _output(self, name: str) -> IO[bytes]:
        return (self.folder / f"{name}.output").open("ab")

    def _stop(self, name: str) -> None:
        process = self._daemons.pop(name)
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=20)
        process.kill()
        process.wait()

    def _asked(self, *command: str) -> bool:
        return self.run(*command).returncode == 0

    def _until(self, name: str, holds: Callable[[], bool]) -> None:
        """Waits until something holds that a daemon brings about. Raises `RuntimeError` with what that has said."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            if time.monotonic() > deadline or self._daemons[name].poll() is not None:
                said = [self.folder / f"{name}.output", self.folder / f"{name}.log"]
                texts = [path.read_text("utf-8", "replace")[-2000:] for path in said if path.exists()]
                raise RuntimeError(f"{name} does not come up: {' '.join(texts)}")
            time.sleep(0.05)


def _listening() -> dict[str, str]:
    """Where the daemons listen: not everywhere, they can only be told to listen at what this host's name stands for.

    Where that is no address at which we ask them, as on a host that calls itself 127.0.1.1, they listen everywhere.
    """
    try:
        ours = socket.gethostbyname(socket.gethostname()) == "127.0.0.1"
    except OSError:
        ours = False
    flags = {"dbd_listens": "NoInAddrAny", "ctld_listens": "NoInAddrAny,NoCtldInAddrAny"}
    return {name: f"CommunicationParameters={flag}\n" if ours else "" for name, flag in flags.items()}


class SlurmRunner(Runner):
    """Runs one of the kinds for Slurm, as the engine does: each step a pass of its own, with its own readings."""

    def __init__(self, kind: Kind, name: str, server: SlurmServer, processes: Processes | None = None) -> None:
        super().__init__(kind, name, None, processes)
        self.server = server

    def surroundings(self, *, dry: bool = False, timeout: float | None = None) -> Surroundings:
        """What the action may touch."""
        return replace(super().surroundings(dry=dry, timeout=timeout), defaults={"slurm": self.server.section})
