"""One run at a time in a folder."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import platform
from collections.abc import Iterator

import jax

from medsr_jax.errors import MedsrError

_log = logging.getLogger(__name__)
_NAME = ".lock"


@contextlib.contextmanager
def locked(workdir: pathlib.Path) -> Iterator[None]:
    """Lock an existing folder for one run; of its processes only the first locks it.

    The operating system releases the lock when the process ends. A file system without locks gives a warning.

    Raises:
        MedsrError: another run is active there, or the folder can't be written.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    if jax.process_index():
        yield
        return
    try:
        file = (workdir / _NAME).open("a+")
    except OSError as error:
        raise MedsrError(
            f"cannot be written ({error.strerror})", path=workdir, remedy="choose another folder"
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            who = file.read(200).strip() or "another process"
            raise MedsrError(
                f"{who} is training in this folder", path=workdir, remedy="wait until it ends, or choose another folder"
            ) from error
        except OSError as error:
            _log.warning("%s: can't be locked (%s); don't start a second run there", workdir, error.strerror)
        with contextlib.suppress(OSError):  # a full disk is reported by the writers of the run
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}\n")
            file.flush()
        yield
