"""What guards the home: who may read it, who may work in it at once, and what is said when its disk takes nothing."""

import datetime as dt
import errno
import fcntl
import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OWNER_ALONE = 0o077
_FULL = re.compile(r"(?i)no space left on device|disk is full|disk full|disk quota exceeded|os error 28\b")
_FULL_BELOW = 1_000_000
"""Free bytes with which a disk counts as full, however the error says it."""
_OTHER = "name another home by --home"


class HomeError(RuntimeError):
    """The home cannot be used; the message says why and what to do."""


def keep_private() -> int:
    """Make whatever this process and its children write from now on its owner's alone; return the mask before."""
    return os.umask(_OWNER_ALONE)


def must_be_writable(home: Path) -> None:
    """Make the home if it is missing.

    Raises:
        HomeError: it cannot be made or written to.
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HomeError(f"{home} cannot be made ({error.strerror}): {_OTHER}, or set LYRICS_HOME") from error
    if not os.access(home, os.W_OK | os.X_OK):
        raise HomeError(f"{home} cannot be written to: make it writable for this user, or {_OTHER}, or set LYRICS_HOME")


@contextmanager
def hold(home: Path, name: str, command: str) -> Iterator[int]:
    """Hold the home for as long as the context lasts, so that no second process holds it under the same name.

    The lock is the kernel's, on an open file, and ends with the process, however that ends. A child that is handed the
    file's number keeps the lock for as long as it lives: no library of locks tells that number.

    Args:
        home: is made if missing.
        name: of the lock; holders of different names do not hinder each other.
        command: what holds it, for whoever is refused.

    Yields:
        the number of the open file.

    Raises:
        HomeError: another process holds it, or the home cannot be written to.
    """
    must_be_writable(home)
    with (home / f"{name}.lock").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise HomeError(f"{home} is in use by {holder}: wait until it has ended, end it, or {_OTHER}") from None
        except OSError as error:
            raise HomeError(f"{file.name}: {error.strerror}: keep the home on a disk that can lock files") from error
        file.truncate(0)
        since = dt.datetime.now().astimezone().isoformat(" ", "minutes")
        file.write(f"`{command}` (process {os.getpid()} on {socket.gethostname()}, since {since})")
        file.flush()
        yield file.fileno()


@contextmanager
def telling_of_a_full_disk(home: Path) -> Iterator[None]:
    """Say of what failed because the home's disk is full that it did, and what to do.

    Raises:
        HomeError: instead of whatever a full disk made of an error.
    """
    try:
        yield
    except Exception as error:
        if not _is_full(error, home):
            raise
        free = shutil.disk_usage(home).free
        raise HomeError(
            f"the disk of {home} is full ({free / 1e6:.1f} MB free): make room (`lyrics prune` removes what is "
            f"old), or {_OTHER}, and run the same command again; what was published before is whole.\n"
            f"What failed: {str(error).partition(chr(10))[0]}"
        ) from error


def _is_full(error: BaseException | None, home: Path) -> bool:
    if home.exists() and shutil.disk_usage(home).free < _FULL_BELOW:
        return True
    while error is not None:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        if _FULL.search(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False
