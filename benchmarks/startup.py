"""How fast `amierules` starts, against the bare import of the libraries that it stands on.

Each ratio is the median of interleaved pairs: a machine that gets slower meanwhile slows both sides.
`python benchmarks/startup.py [--pairs N] [--limit RATIO]`; with `--limit`, a slower `validate` ends with status 1.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from amierules.shipped import ROOT

AMIERULES = str(Path(sys.executable).with_name("amierules"))
BARE = [sys.executable, "-c", "import psycopg2, jinja2, yaml, jsonschema"]
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "amierules --version": [AMIERULES, "--version"],
    "amierules validate": [AMIERULES, "validate"],
}
LIMITED = "amierules validate"

CONFIGURATION = f"""\
site_name: TestSite
remote_site_name: TGCDB
rules: ["{ROOT}/rules"]
settings: {{accounts: none, scheduler: none, dns: none, approve_accounts: false}}
ids: {{uid: {{range: [20000, 29999]}}, gid: {{range: [20000, 29999]}}, person_id: {{from: uid}}}}
"""


def installed(folder: Path) -> dict[str, str]:
    """An environment in which programs are compiled once, like those that are installed: by the first run, into the
    folder.
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**environment, "PYTHONPYCACHEPREFIX": str(folder / "compiled")}


def seconds(command: Sequence[str], folder: Path) -> float:
    """The processor seconds that a command takes, which other work on the machine does not lengthen.

    It must succeed: a quick failure is no speed.
    """
    environment = installed(folder)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(command: Sequence[str], folder: Path, pairs: int) -> tuple[float, float, float]:
    """Medians over the pairs: the command's seconds, those of the bare import, and the ratio of the two."""
    for warming in (command, BARE):
        seconds(warming, folder)
    both = [(seconds(command, folder), seconds(BARE, folder)) for _ in range(pairs)]
    ratios = [ours / bare for ours, bare in both]
    return statistics.median(a for a, _ in both), statistics.median(b for _, b in both), statistics.median(ratios)


def main() -> int:
    """Prints the table; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="how many pairs for each command (5)")
    parser.add_argument("--limit", type=float, help=f"the highest ratio that `{LIMITED}` may have")
    options = parser.parse_args()

    files = len(list((ROOT / "rules").rglob("*.yaml")))
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {files} rule files, {options.pairs} pairs each")
    print("bare: the import of psycopg2, jinja2, yaml and jsonschema\n")
    print(f"{'command':<24}{'seconds':>9}{'bare':>9}{'ratio':>9}")
    ratios = {}
    with tempfile.TemporaryDirectory(prefix="amierules-bench-") as scratch:
        Path(scratch, "amierules.yaml").write_text(CONFIGURATION, encoding="utf-8")
        for name, command in COMMANDS.items():
            ours, bare, ratios[name] = measure(command, Path(scratch), options.pairs)
            print(f"{name:<24}{ours:>9.3f}{bare:>9.3f}{ratios[name]:>9.2f}", flush=True)
    return int(options.limit is not None and ratios[LIMITED] > options.limit)


if __name__ == "__main__":
    sys.exit(main())
