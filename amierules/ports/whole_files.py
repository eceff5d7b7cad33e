"""Files that other programs read at any moment: changed under a lock, and replaced as a whole."""

import contextlib
import errno
import os
import stat
from collections.abc import Callable

from amierules.ports.file_locks import locked

_NEW_FILE = 0o644
_TRIES = 10


class Restless(Exception):
    """Others went on changing a file: nothing was done."""


def read_whole(path: str) -> bytes:
    """What an ordinary file holds; nothing where there is none. Raises `OSError`."""
    return _read(path)[0]


def rewrite(path: str, change: Callable[[bytes], bytes], *, wait: float) -> None:
    """Replace what a file holds by what `change` makes of it; where that is the same, nothing is written.

    Others see the old file or the new one, whole, even if this process or the host dies. A link is followed, and what
    it leads to replaced. Owner, mode and, where possible, extended attributes are kept. Who takes the same lock, as all
    do that use this function, loses no change; a change that somebody makes without it is seen before the file is
    replaced, and `change` is asked again. A file that is missing counts as empty and is made. Raises `Busy` where the
    lock is not to be had, `Restless`, `OSError`.
    """
    real = os.path.realpath(path)
    folder, name = os.path.split(real)
    with locked(os.path.join(folder, f".{name}.lock"), wait):
        for _ in range(_TRIES):
            before, status = _read(real)
            after = change(before)
            if after == before or _replace(real, after, status):
                return
    raise Restless(f"another program goes on changing {path}")


def _read(path: str) -> tuple[bytes, os.stat_result | None]:
    """What the file holds, and what it is; None where there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return b"", None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(errno.EINVAL, "this is no ordinary file", path)
        return file.read(), status


def _replace(path: str, content: bytes, status: os.stat_result | None) -> bool:
    """Whether the file could be replaced: not where it is another one than `status` says."""
    folder, name = os.path.split(path)
    # One name for all, under the lock: what a process left that died here does not pile up.
    beside = os.path.join(folder, f".{name}.new")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside)
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            _keep_rights(descriptor, path, status)
            os.fsync(descriptor)
        if _mark(_status(path)) != _mark(status):
            return False
        os.replace(beside, path)
    finally:
        with contextlib.suppress(OSError):
            os.unlink(beside)
    _sync_folder(folder)
    return True


def _keep_rights(descriptor: int, path: str, status: os.stat_result | None) -> None:
    if status is None:
        os.fchmod(descriptor, _NEW_FILE)
        return
    made = os.fstat(descriptor)
    if (made.st_uid, made.st_gid) != (status.st_uid, status.st_gid):
        os.fchown(descriptor, status.st_uid, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    with contextlib.suppress(OSError):
        for name in os.listxattr(path):
            with contextlib.suppress(OSError):
                os.setxattr(descriptor, name, os.getxattr(path, name))


def _status(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None


def _mark(status: os.stat_result | None) -> tuple[int, ...] | None:
    """What differs when a file was changed or replaced."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns) if status is not None else None


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
