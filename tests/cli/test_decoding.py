"""A file that kills its decoder costs a line, and the other files are done."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image

from medsr_jax.cli import child
from medsr_jax.cli.decoding import Call, Decoding
from medsr_jax.cli.receiving import received
from medsr_jax.cli.sending import original
from medsr_jax.errors import MedsrError
from medsr_jax.transmission.options import SendingOptions

MEDSR = [sys.executable, "-c", "from medsr_jax.cli import main; main()"]


@pytest.fixture
def folder(tmp_path: pathlib.Path, radiograph: np.ndarray) -> str:
    (tmp_path / "in").mkdir()
    for name in "abcd":
        Image.fromarray(radiograph).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"


@pytest.fixture(params=["forked", "spawned"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Each way to start the process, whichever fits the threads of the tests."""
    monkeypatch.setattr(child, "_has_one_thread", lambda: request.param == "forked")
    return request.param


def own_process(file: Any, *, deadly: Any, number: Any) -> Any:
    """Where the work ran; the deadly file kills it there by a signal."""
    if file.name == deadly:
        os.kill(os.getpid(), number)
    return os.getpid()


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_crash_is_the_line_of_one_file_and_a_new_process_goes_on(folder: Any, way: Any, number: Any) -> None:
    files = sorted(folder.iterdir())
    with Decoding(Call(__name__, "own_process", {"deadly": "b.png", "number": number}), files) as decoding:
        a, b, c, d = decoding
    assert b.problem.startswith(f"{files[1]}: the decoder ")
    assert f"(signal {number:d}" in b.problem
    assert a.value != c.value == d.value != os.getpid()
    assert not any(one.problem for one in (a, c, d))


def test_one_file_alone_is_read_in_this_process(folder: Any) -> None:
    with Decoding(Call(__name__, "own_process", {"deadly": "", "number": 0}), [folder / "a.png"]) as decoding:
        assert [one.value for one in decoding] == [os.getpid()]


def prints(file: Any) -> Any:
    os.write(1, b"from a library")
    os.write(2, b"from a library")
    print("from Python", flush=True)
    return file.name


def test_what_libraries_print_mixes_with_nothing(folder: Any, way: Any, capfd: pytest.CaptureFixture[str]) -> None:
    with Decoding(Call(__name__, "prints", {}), sorted(folder.iterdir())) as decoding:
        assert [one.value for one in decoding] == ["a.png", "b.png", "c.png", "d.png"]
    assert capfd.readouterr() == ("", "")


def raises(file: Any) -> None:
    {"a.png": lambda: int("x"), "b.png": lambda: raises(file), "c.png": lambda: np.empty(1 << 50, np.uint8)}[
        file.name
    ]()


def test_any_exception_is_a_line_that_names_the_file(folder: Any, way: Any) -> None:
    files = [folder / name for name in ("a.png", "b.png", "c.png", "d.png")]
    with Decoding(Call(__name__, "raises", {}), files) as decoding:
        problems = [one.problem for one in decoding]
    assert all(line.startswith(f"{file}: ") and "\n" not in line for file, line in zip(files, problems, strict=True))
    assert "ValueError" in problems[0]
    assert "nested too deeply" in problems[1]
    assert "memory" in problems[2]
    assert "KeyError" in problems[3]


def unpicklable(file: Any) -> Any:
    return lambda: file


def test_a_value_that_can_not_travel_is_a_line(folder: Any, way: Any) -> None:
    with Decoding(Call(__name__, "unpicklable", {}), sorted(folder.iterdir())) as decoding:
        assert all("pickle" in one.problem for one in decoding)


def busy(file: Any) -> None:
    (file.parent / "process").write_text(str(os.getpid()))
    while True:
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_process_ends_with_its_parent(folder: Any, number: Any) -> None:
    code = (
        # Of a job in the background SIGINT is ignored, and its children inherit that.
        "import pathlib, signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from medsr_jax.cli.decoding import Call, Decoding\n"
        "from medsr_jax.terminal import session\n"
        f"files = sorted(pathlib.Path({str(folder)!r}).glob('*.png'))\n"
        "with session(), Decoding(Call('tests.cli.test_decoding', 'busy', {}), files) as decoding: list(decoding)"
    )
    place = folder / "process"
    with subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.PIPE, cwd=pathlib.Path(__file__).parents[2]
    ) as parent:
        while not place.exists() or not place.read_text():
            assert parent.poll() is None, parent.stderr.read()
            time.sleep(0.01)
        parent.send_signal(number)
        _, errors = parent.communicate()
    assert b"Traceback" not in errors
    assert parent.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    worker = pathlib.Path("/proc", place.read_text())
    while worker.exists() and " Z " not in (worker / "stat").read_text():
        time.sleep(0.01)


def children_of(process: Any) -> Any:
    found = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return [int(number) for number in found]


def test_a_folder_whose_decoder_is_killed_in_the_midst_is_done_but_for_one_file(
    tmp_path: pathlib.Path, radiograph: np.ndarray
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(120):  # more than a busy machine is through with before the signal comes
        Image.fromarray(np.tile(np.roll(radiograph, number), (2, 2))).save(tmp_path / "in" / f"{number:03}.png")
    command = [*MEDSR, "compress", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        first = run.stdout.readline()
        os.kill(children_of(run.pid)[0], signal.SIGSEGV)
        rest, errors = run.communicate()
    assert run.returncode == 1
    assert (first + rest).count(" bytes, ") == len(list((tmp_path / "out").iterdir())) == 119
    assert "119 files: " in rest
    assert "decoder crashed (signal 11" in errors
    assert errors.count("\n") == 1


def test_packets_and_images_are_the_same_from_another_process(folder: Any, way: Any, tmp_path: pathlib.Path) -> None:
    pairs = [(folder / "a.png", ".jpg"), (pathlib.Path(pydicom.data.get_testdata_file("CT_small.dcm")), ".dcm")]
    with Decoding(
        Call("medsr_jax.cli.sending", "original", {"max_pixels": None}), [file for file, _ in pairs]
    ) as decoding:
        images = [one.value for one in decoding]
    with Decoding(
        Call("medsr_jax.cli.sending", "encoded", {"max_pixels": None, "options": SendingOptions()}),
        [file for file, _ in pairs],
    ) as decoding:
        packets = [one.value for one in decoding]
    for (file, suffix), there, sent in zip(pairs, images, packets, strict=True):
        here = original(file, max_pixels=None)
        np.testing.assert_array_equal(there.pixels, here.pixels)
        assert there.dataset == here.dataset
        assert sent.suffix == suffix
        (tmp_path / f"sent{suffix}").write_bytes(sent.data)
    sent_files = [tmp_path / "sent.jpg", tmp_path / "sent.dcm"]
    options = {"assume_scale": None, "max_pixels": None}
    with Decoding(Call("medsr_jax.cli.receiving", "received", options), sent_files) as decoding:
        for file, outcome in zip(sent_files, decoding, strict=True):
            here, there = received(file, **options), outcome.value
            assert (there.header, there.streams, there.dataset) == (here.header, here.streams, here.dataset)
            np.testing.assert_array_equal(there.decode(), here.decode())
            np.testing.assert_array_equal(there.coefficients(), here.coefficients())


def test_a_process_that_does_not_start_is_one_line(folder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_has_one_thread", lambda: False)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    decoding = Decoding(Call(__name__, "prints", {}), sorted(folder.iterdir()))
    with decoding, pytest.raises(MedsrError, match=r"does not start: the decoder ended \(exit status 1\)"):
        next(iter(decoding))
