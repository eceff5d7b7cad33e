"""The library by which GSI services read grid-mapfiles, asked in a process of its own."""

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support.real import missing, used

_LIBRARY = "libglobus_gss_assist.so.3"
_ASK = """
import ctypes, json, sys
library, common = ctypes.CDLL("libglobus_gss_assist.so.3"), ctypes.CDLL("libglobus_common.so.0")
module = ctypes.c_void_p.in_dll(library, "globus_i_gsi_gss_assist_module")
assert common.globus_module_activate(ctypes.byref(module)) == 0
asked = json.load(sys.stdin)
print(json.dumps([library.globus_gss_assist_userok(dn.encode(), login.encode()) == 0 for dn, login in asked]))
"""


def may_use(file: Path, asked: Sequence[tuple[str, str]]) -> list[bool]:
    """Whether each DN may use its login, as GridFTP would be told; skips the test where the library is missing."""
    try:
        ctypes.CDLL(_LIBRARY)
    except OSError:
        missing("globus-gss-assist", "not installed")
    used("globus-gss-assist")
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        input=json.dumps(asked),
        env={**os.environ, "GRIDMAP": str(file)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    answers: list[bool] = json.loads(done.stdout)
    assert len(answers) == len(asked)
    return answers
