"""Code that runs with an /etc of its own, so that real tools change real account files that are not the host's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.real import require, require_root

_TOP = Path(__file__).parents[2]
_IN_ITS_PLACE = ("unshare", "-m", "sh", "-c", 'mount --bind "$0" /etc && exec "$@"')
_NOBODY = """
import os
os.setgroups([]), os.setresgid(65534, 65534, 65534), os.setresuid(65534, 65534, 65534)
"""


class PrivateEtc:
    """A copy of the host's /etc, which takes its place for processes that `run` starts."""

    def __init__(self, folder: Path) -> None:
        require_root()
        for program in ("unshare", "mount"):
            require(program)
        self.path = folder / "etc"
        shutil.copytree("/etc", self.path, symlinks=True, ignore_dangling_symlinks=True)
        for name in ("shadow", "gshadow"):
            (self.path / name).chmod(0o640)

    def let_nobody(self, *tools: str) -> None:
        """Lets the user `nobody` run tools through sudo without a password, and nothing else."""
        require("sudo")
        paths = [str(require(tool)) for tool in tools]
        file = self.path / "sudoers"
        file.write_text(f"nobody ALL=(root) NOPASSWD: {', '.join(paths)}\n" if paths else "", encoding="utf-8")
        file.chmod(0o440)

    def run(self, imports: str, code: str, *, as_nobody: bool = False) -> str:
        """Runs Python code there, as root or as `nobody`, and returns what it printed. It must end well.

        `imports` come first, as root: the checkout may be where only root can read.
        """
        script = "\n".join([imports, _NOBODY if as_nobody else "", code])
        done = subprocess.run(
            [*_IN_ITS_PLACE, str(self.path), sys.executable, "-c", script],
            env={**os.environ, "PYTHONPATH": str(_TOP)},
            cwd="/",
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def line(self, file: str, name: str) -> list[str] | None:
        """The fields of the line of `name` in `etc/FILE`, or None."""
        lines = (self.path / file).read_text(encoding="utf-8").splitlines()
        return next((fields for fields in (line.split(":") for line in lines) if fields[0] == name), None)
