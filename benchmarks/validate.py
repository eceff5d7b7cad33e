"""How fast `amierules validate` checks 20 rule files of 100 lines, against the bare import of its libraries.

The ratio is the median of interleaved pairs: a machine that gets slower meanwhile slows both sides.
`python -m benchmarks.validate [--pairs N] [--files N] [--lines N] [--limit RATIO] [--json]`; with `--limit`, a higher
ratio ends with status 1.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from pathlib import Path

from amierules.protocol.catalogue import catalogue
from benchmarks.startup import AMIERULES, CONFIGURATION, measure

_HEAD = """\
packet: {type}
description: What a site does that tells its packets apart by their number.
vars:
  who: "{{{{ person.person_id if person is not none else header.packet_id }}}}"
rules:
"""
_RULE = """\
  - name: number {number} has nobody
    when: person is none and header.packet_id == {number}
    hold: "{{{{ who }}}} of number {number} is unknown, as of {{{{ today() }}}}"
  - name: number {number}
    when: header.packet_id == {number} and site.accounts == 'shadow'
    actions:
      - name: seen
        command: {{run: [getent, passwd, "login{number}"], read_only: true, ok: [0, 2]}}
        register: seen
      - name: account
        when: seen.rc == 0 and person is not none
        user: {{name: "login{number}", comment: "{{{{ person.FirstName or '' }}}} of {{{{ header.type }}}}"}}
      - name: sure
        assert:
          that: ["seen.rc in [0, 2]", "header.trans_rec_id > {number}"]
          message: "getent said {{{{ seen.rc }}}} of {{{{ who }}}}"
    complete: "number {number} of {{{{ header.packet_id }}}}"
"""


def rule_file(packet_type: str, lines: int) -> str:
    """A rule file of so many lines, or a few less."""
    text, number = _HEAD.format(type=packet_type), 0
    while (longer := text + _RULE.format(number=number)).count("\n") <= lines:
        text, number = longer, number + 1
    return text + "  # nothing else\n" * (lines - text.count("\n"))


def write_site(folder: Path, files: int, lines: int) -> None:
    """A site with so many rule files; those for packets that come to sites first."""
    ours = sorted(catalogue().types.values(), key=lambda one: (one.direction not in ("to_site", "both"), one.name))
    (folder / "rules").mkdir()
    (folder / "amierules.yaml").write_text(CONFIGURATION.replace(CONFIGURATION.split("\n")[2], "rules: [rules]"))
    for packet_type in ours[:files]:
        (folder / "rules" / f"{packet_type.name}.yaml").write_text(rule_file(packet_type.name, lines))


def main() -> int:
    """Prints the ratio; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=5, help="how many pairs (5)")
    parser.add_argument("--files", type=int, default=20, help="how many rule files (20)")
    parser.add_argument("--lines", type=int, default=100, help="how many lines each has (100)")
    parser.add_argument("--limit", type=float, help="the highest ratio")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="amierules-bench-") as scratch:
        write_site(Path(scratch), options.files, options.lines)
        ours, bare, ratio = measure([AMIERULES, "validate"], Path(scratch), options.pairs)
    found = {"files": options.files, "lines": options.lines, "seconds": ours, "bare_seconds": bare, "ratio": ratio}
    if options.json:
        print(json.dumps({"python": platform.python_version(), "cores": os.cpu_count(), **found}))
    else:
        print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {options.pairs} pairs")
        print("bare: the import of psycopg2, jinja2, yaml and jsonschema\n")
        what = f"validate {options.files} files of {options.lines} lines"
        print(f"{what}: {ours:.3f} s, bare {bare:.3f} s, ratio {ratio:.2f}")
    return int(options.limit is not None and ratio > options.limit)


if __name__ == "__main__":
    sys.exit(main())
