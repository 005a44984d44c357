"""Files are found in order and written whole."""

from __future__ import annotations

import errno
import os
import pathlib
import tempfile
from collections.abc import Iterator

import pytest

from medsr_jax import files
from medsr_jax.errors import MedsrError
from medsr_jax.files import atomic_write, find_inputs, output_paths
from medsr_jax.imaging import read_image


def test_a_file_is_written_with_the_folders_it_needs(tmp_path: pathlib.Path) -> None:
    atomic_write(tmp_path / "a" / "b" / "file", b"bytes")
    assert (tmp_path / "a" / "b" / "file").read_bytes() == b"bytes"
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["file"]


def test_a_new_file_has_the_usual_permissions(tmp_path: pathlib.Path) -> None:
    atomic_write(tmp_path / "ours", b"")
    (tmp_path / "usual").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "usual").stat().st_mode


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")])
def test_nothing_is_left_of_an_interrupted_write(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, interruption: type[BaseException] | BaseException
) -> None:
    (tmp_path / "file").write_bytes(b"old")

    def interrupt(_: int) -> None:
        raise interruption

    monkeypatch.setattr(files.os, "fsync", interrupt)
    expected = KeyboardInterrupt if interruption is KeyboardInterrupt else MedsrError
    with pytest.raises(expected) as caught:
        atomic_write(tmp_path / "file", b"new")
    assert expected is KeyboardInterrupt or "the disk is full" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"old"


def test_a_folder_that_is_a_file_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MedsrError, match="is a file, not a folder"):
        atomic_write(tmp_path / "file" / "image.png", b"")
    with pytest.raises(MedsrError, match="is a folder"):
        atomic_write(tmp_path, b"")


@pytest.fixture
def locked_folder() -> Iterator[pathlib.Path]:
    """A folder that may not be written. Root may write everywhere, so the test goes on as nobody there."""
    folder = pathlib.Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    yield folder
    if root:
        os.seteuid(0)
    folder.rmdir()


def test_a_read_only_folder_is_named(locked_folder: pathlib.Path) -> None:
    with pytest.raises(MedsrError, match="permission denied"):
        atomic_write(locked_folder / "image.png", b"")


def test_a_read_only_file_system_is_named() -> None:
    if not pathlib.Path("/proc/self").is_dir():
        pytest.skip("no file system that is surely read-only")
    with pytest.raises(MedsrError, match="can't be written"):
        atomic_write("/proc/image.png", b"")


def test_folders_are_walked_and_their_structure_kept(tmp_path: pathlib.Path) -> None:
    for name in ("b/2.png", "b/1.png", "a.png", ".hidden", ".git/config"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).touch()
    found = find_inputs([tmp_path / "in", tmp_path / "in" / "b" / "1.png"])
    assert [str(relative) for _, relative in found] == ["a.png", "b/1.png", "b/2.png", "1.png"]
    assert all(file.exists() for file, _ in found)


def test_links_to_folders_are_walked_once_and_loops_kept_out(tmp_path: pathlib.Path) -> None:
    for name in ("in/a.png", "in/real/b.png", "elsewhere/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for link, folder in (("linked", "elsewhere"), ("again", "elsewhere"), ("alias", "in/real"), ("loop", "in")):
        (tmp_path / "in" / link).symlink_to(tmp_path / folder)
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "in")
    found = find_inputs([tmp_path / "in"])
    # A folder has its own name before that of any link to it.
    assert [str(relative) for _, relative in found] == ["a.png", "real/b.png", "again/c.png"]


def test_an_output_folder_inside_an_input_folder_is_not_walked(tmp_path: pathlib.Path) -> None:
    for name in ("a.png", "sent/a.jpg", "sent.old/b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find_inputs([tmp_path], out=tmp_path / "sent")
    assert [str(relative) for _, relative in found] == ["a.png", "sent.old/b.png"]
    assert len(find_inputs([tmp_path], out=tmp_path)) == 3


def test_missing_and_empty_inputs_are_named_when_they_are_read(tmp_path: pathlib.Path) -> None:
    (tmp_path / "empty").mkdir()
    absent, empty = find_inputs([tmp_path / "absent", tmp_path / "empty"])
    with pytest.raises(MedsrError, match="can't be read: No such file"):
        read_image(absent[0])
    with pytest.raises(MedsrError, match="holds no file"):
        read_image(empty[0])


def test_the_same_output_twice_is_reported_for_the_second_input(tmp_path: pathlib.Path) -> None:
    pairs = [(tmp_path / name, pathlib.Path(name)) for name in ("x.png", "x.dcm", "y.png", "Y.tif")]
    paths = output_paths(pairs, tmp_path / "out", suffix=".jpg")
    assert paths[0] == tmp_path / "out" / "x.jpg"
    assert isinstance(paths[1], MedsrError) and "same output" in str(paths[1])
    assert paths[2] == tmp_path / "out" / "y.jpg"
    assert isinstance(paths[3], MedsrError)


def test_inputs_are_never_overwritten(tmp_path: pathlib.Path) -> None:
    (tmp_path / "x.png").touch()
    (path,) = output_paths(find_inputs([tmp_path / "x.png"]), tmp_path)
    assert isinstance(path, MedsrError) and "overwrite" in str(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_refused_in_place_of_waited_for(tmp_path: pathlib.Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(MedsrError, match=r"a\.png: is a pipe"):
        read_image(tmp_path / "a.png")
