"""Files found and files written whole."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import pathlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from medsr_jax import temporary
from medsr_jax.errors import MedsrError, concerning


def atomic_write(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes `data` to `path` so that the file appears whole or not at all.

    The bytes go to a hidden file beside `path`, which is renamed once they are on the disk, and removed when
    anything goes wrong, Ctrl-C and SIGTERM included. What a killed process has left there is removed. Missing folders
    are made.

    Raises:
        MedsrError: the folder can't be made or written, the disk is full, or `path` is a folder.
    """
    path = pathlib.Path(path)
    unfinished = None
    try:
        if path.is_dir():
            raise MedsrError("is a folder", path=path, remedy="name a file to write")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, unfinished = temporary.make_file(path.parent)
        with os.fdopen(handle, "wb") as file:
            # mkstemp makes files private; what the user asked for gets the permissions of any new file.
            os.fchmod(file.fileno(), 0o666 & ~_umask())
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
        temporary.forget(unfinished)
        unfinished = None
    except OSError as error:
        raise MedsrError(f"can't be written: {_reason(error)}", path=path) from error
    finally:
        if unfinished is not None:
            temporary.remove(unfinished)


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder, and those above it, unless it is there.

    Raises:
        MedsrError: it can't be made.
    """
    try:
        pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MedsrError(f"can't be written: {_reason(error)}", path=path) from error


def read_file(path: str | os.PathLike[str], *, check: Callable[[bytes], object] | None = None) -> bytes:
    """The bytes of a file, which is opened once.

    Args:
        path: of a regular file: opening a pipe may wait for ever.
        check: is given the first 256 bytes or more, or as many as there are, and raises where the rest need not be
            read.

    Raises:
        MedsrError: it can't be read, or is no regular file; and as `check`.
    """
    with _opened(path) as file:
        if check is not None:
            check(file.peek(256))
        return file.read()


def first_bytes(path: str | os.PathLike[str]) -> bytes:
    """The first 256 bytes of a file, or as many as there are.

    Raises:
        MedsrError: it can't be read, or is no regular file.
    """
    with _opened(path) as file:
        return file.read(256)


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[io.BufferedReader]:
    path = pathlib.Path(path)
    with concerning(path):
        try:
            if path.is_dir():
                held = any(not entry.name.startswith(".") for entry in path.iterdir())
                raise MedsrError("is a folder, not an image" if held else "is a folder that holds no file")
            if path.exists() and not path.is_file():
                raise MedsrError("is a pipe, socket or device, not an image")
            with path.open("rb") as file:
                yield file
        except MemoryError as error:
            raise MedsrError("does not fit into memory") from error
        except OSError as error:
            raise MedsrError(f"can't be read: {error.strerror or error}") from error


def _umask() -> int:
    """The mask for new files. It can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _reason(error: OSError) -> str:
    """What went wrong and what to do about it."""
    remedies = {
        errno.EACCES: "permission denied; choose another output folder",
        errno.EPERM: "permission denied; choose another output folder",
        errno.EROFS: "the file system is read-only; choose another output folder",
        errno.ENOSPC: "the disk is full; free some space or choose another output folder",
        errno.EDQUOT: "the disk quota is used up; free some space or choose another output folder",
        errno.EFBIG: "the file is larger than the file system or the process limit allows",
        errno.ENOTDIR: "a part of the path is a file, not a folder; choose another output folder",
        errno.EEXIST: "a part of the path is a file, not a folder; choose another output folder",
        errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    }
    return remedies.get(error.errno or 0, error.strerror or str(error))


def find_inputs(
    inputs: Sequence[str | os.PathLike[str]], *, out: str | os.PathLike[str] | None = None
) -> list[tuple[pathlib.Path, pathlib.Path]]:
    """The files behind a list of files and folders.

    Folders are walked in sorted order, links to folders after the folders beside them; each folder once, however many
    links lead to it. Hidden files and folders are left out unless named themselves. What is missing, empty or
    unreadable stays in the list, so that reading it names the problem and the others go on.

    Args:
        inputs: files and folders.
        out: the output folder, which is not walked where it lies inside an input folder: a second run would take the
            first one's results for inputs.

    Returns:
        Pairs of a file and the path relative to the output folder where its result belongs: its own name for a
        file that was named, its path below the folder for a file that was found in one.
    """
    found: list[tuple[pathlib.Path, pathlib.Path]] = []
    for entry in inputs:
        path = pathlib.Path(entry)
        below = _files_below(path, but=out) if path.is_dir() else []
        found.extend((file, file.relative_to(path)) for file in below)
        if not below:
            found.append((path, pathlib.Path(path.name)))
    return found


def _files_below(folder: pathlib.Path, *, but: str | os.PathLike[str] | None) -> list[pathlib.Path]:
    """Files below a folder, and the folders that can't be listed."""
    files: list[pathlib.Path] = []
    left_out = None if but is None or _key(folder) == _key(pathlib.Path(but)) else _key(pathlib.Path(but))
    walked: set[str] = set()
    waiting = [folder]

    def keep(error: OSError) -> None:
        files.append(pathlib.Path(error.filename))

    while waiting:
        start, links = waiting.pop(0), list[pathlib.Path]()
        for where, folders, names in os.walk(start, onerror=keep):
            real = os.path.realpath(where)
            if real in walked or real == left_out:
                folders.clear()
                continue
            walked.add(real)
            visible = sorted(name for name in folders if not name.startswith("."))
            links += [path for name in visible if (path := pathlib.Path(where, name)).is_symlink()]
            folders[:] = visible
            files.extend(pathlib.Path(where, name) for name in sorted(names) if not name.startswith("."))
        waiting += links
    return files


def output_paths(
    inputs: Sequence[tuple[pathlib.Path, pathlib.Path]],
    out: str | os.PathLike[str],
    *,
    suffix: str | None = None,
) -> list[pathlib.Path | MedsrError]:
    """Where each result goes, in the order of `inputs`.

    Args:
        inputs: pairs as `find_inputs` returns them.
        out: the output folder.
        suffix: replaces the suffix of each name when given, such as ".jpg".

    Returns:
        For each input its path, or the `MedsrError` to report for it when an earlier input has the same output
        (file systems that ignore case are taken into account) or when it would overwrite one of the inputs.
    """
    outputs = Outputs((file for file, _ in inputs), out)
    paths: list[pathlib.Path | MedsrError] = []
    for file, relative in inputs:
        try:
            paths.append(outputs.claim(file, relative if suffix is None else relative.with_suffix(suffix)))
        except MedsrError as error:
            paths.append(error)
    return paths


class Outputs:
    """The paths of results, given one by one, since a name may follow from what was read.

    Args:
        sources: all inputs, none of which is overwritten.
        out: the output folder.
    """

    def __init__(self, sources: Iterable[pathlib.Path], out: str | os.PathLike[str]) -> None:
        self._out = pathlib.Path(out)
        self._sources = {_key(file) for file in sources}
        self._taken: dict[str, pathlib.Path] = {}

    def claim(self, file: pathlib.Path, relative: pathlib.Path) -> pathlib.Path:
        """The path of an input's result.

        Args:
            file: the input.
            relative: to the output folder.

        Raises:
            MedsrError: an earlier input has the same output (file systems that ignore case are taken into account), or
                it would overwrite one of the inputs.
        """
        path = self._out / relative
        key = _key(path)
        if key in self._sources:
            raise MedsrError(f"would overwrite the input {path}", path=file, remedy="choose another output folder")
        earlier = self._taken.setdefault(key.casefold(), file)
        if earlier is not file:
            raise MedsrError(
                f"has the same output {path} as {earlier}", path=file, remedy="rename one or send them apart"
            )
        return path


def _key(path: pathlib.Path) -> str:
    return os.path.realpath(path)
