"""Temporary files and folders beside what they will become, and the removal of those that dead processes have left.

Names are short and ASCII whatever the target is called: ``.medsr-HOST-PID-RANDOM.part``, where HOST is a digest of the
host's name and, in a container, of its space of process numbers.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pathlib
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator

_NAME = re.compile(r"\.medsr-([0-9a-f]{8})-(\d{1,10})-[A-Za-z0-9_]+\.part")
_live: set[str] = set()
_swept: set[tuple[int, str]] = set()


def make_file(folder: pathlib.Path) -> tuple[int, str]:
    """A new file in a folder, as (descriptor, path); `forget` it once it is renamed, or `remove` it.

    Raises:
        OSError: it can't be made.
    """
    _sweep_once(folder)
    handle, path = tempfile.mkstemp(prefix=_prefix(), suffix=".part", dir=folder)
    _live.add(path)
    return handle, path


@contextlib.contextmanager
def temporary_folder(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """A new folder in a folder, removed in the end whatever happens.

    Raises:
        OSError: it can't be made.
    """
    _sweep_once(folder)
    path = tempfile.mkdtemp(prefix=_prefix(), suffix=".part", dir=folder)
    _live.add(path)
    try:
        yield pathlib.Path(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
        _live.discard(path)


def forget(path: str) -> None:
    """The file has got its own name."""
    _live.discard(path)


def remove(path: str) -> None:
    """Remove a file that became nothing."""
    with contextlib.suppress(OSError):
        os.unlink(path)
    _live.discard(path)


def sweep(folder: pathlib.Path) -> None:
    """Remove what processes of this host that are no more have left in a folder; those of others are not ours to judge.

    A folder that can't be listed or written is left as it is.
    """
    if os.name != "posix":
        return
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _NAME.fullmatch(entry.name)
            if found is None or found[1] != _host() or entry.path in _live or not _is_dead(int(found[2])):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    os.unlink(entry.path)


def _sweep_once(folder: pathlib.Path) -> None:
    key = (os.getpid(), os.path.realpath(folder))
    if key not in _swept:
        _swept.add(key)
        sweep(folder)


def _prefix() -> str:
    return f".medsr-{_host()}-{os.getpid()}-"


@functools.cache
def _host() -> str:
    try:
        space = str(pathlib.Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return hashlib.blake2b(f"{platform.node()}\0{space}".encode("utf-8", "surrogateescape"), digest_size=4).hexdigest()


def _is_dead(process: int) -> bool:
    if process == os.getpid():
        # In a container every run has the same number. What this one has made is in `_live`.
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
