"""VVC stills (ITU-T H.266, ISO/IEC 23090-3), which are 0.7 to 0.8 dB nearer to a radiograph than AV1 of as many bytes.

No Python package was found that codes them in memory, so that both directions run the program ffmpeg, which the
package imageio-ffmpeg brings with the encoder VVenC in it; MEDSR_FFMPEG names another one. The picture is the luma of
Main 10 at 4:2:0, with chroma that is constant and takes a few bytes: codes are 16 bits here and 10 in the stream.
"""

from __future__ import annotations

import functools
import os
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.temporary import temporary_folder
from medsr_jax.transmission.vvc_units import picture_shape

QUANTISERS = 63
"""The coarsest QP; the finest is 0."""

_VARIABLE = "MEDSR_FFMPEG"
_REMEDY = f"install imageio-ffmpeg, or name an ffmpeg that has it in {_VARIABLE}"
_CODES, _LEVELS, _GREY = 65535, 1023, 512
_SMALLEST = 16  # a side that the encoder takes
# Encoders by speed, slow to fast: the preset, and the depth of the multi-type tree in which blocks are split.
_PRESETS = ((1, "slower", None), (2, "slow", None), (3, "medium", None), (4, "medium", 1), (6, "fast", None))
_FASTEST = "faster"
_LARGE = 1 << 20  # pixels from which threads pay; they leave the stream as it is
_SECONDS, _PIXELS_A_SECOND = 60, 20_000  # that a run may take, many times what it does


def has_vvc() -> bool:
    """Whether there is an ffmpeg with the encoder."""
    try:
        return _has_encoder(_program())
    except MedsrError:
        return False


def padded_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the coded picture of an image: even, and 16 at least."""
    rows, columns = (max(side + side % 2, _SMALLEST) for side in shape)
    return rows, columns


def encode_vvc(image: np.ndarray, setting: float) -> bytes:
    """As `encode_vvc_at`, at the usual speed."""
    return encode_vvc_at(image, setting, 4)


def encode_vvc_at(image: np.ndarray, setting: float, speed: int) -> bytes:
    """A byte stream (Annex B) of one intra picture, tuned for squared error.

    Args:
        image: (rows, columns) uint16 codes, of whose 65536 levels 1024 are coded; or uint8 codes.
        setting: 1 for QP 63 to 100 for QP 0.
        speed: 0 (slowest) to 10.

    Raises:
        MedsrError: there is no ffmpeg with the encoder, or it fails.
    """
    program = _program()
    if not _has_encoder(program):
        raise MedsrError("ffmpeg has no VVC encoder", remedy=_REMEDY)
    rows, columns = padded_shape(image.shape)  # type: ignore[arg-type]
    codes = np.pad(image, ((0, rows - image.shape[0]), (0, columns - image.shape[1])), mode="edge")
    luma = np.rint(codes * np.float32(_LEVELS / np.iinfo(image.dtype).max)).astype("<u2")
    chroma = np.full(luma.size // 2, _GREY, "<u2")
    preset, depth = next(((name, depth) for most, name, depth in _PRESETS if speed <= most), (_FASTEST, None))
    threads = 1 if luma.size <= _LARGE else min(os.cpu_count() or 1, 8)
    # The level is stated as a high one, so that it does not change with the size; nothing but it depends on that.
    options = ["level=6.2", "AccessUnitDelimiter=0", f"threads={threads}"]
    options += [] if depth is None else [f"MaxMTTDepthI={depth}"]
    with temporary_folder(pathlib.Path(tempfile.gettempdir())) as folder:
        # The encoder writes warnings to the standard output, where they would become a part of the stream.
        target = folder / "picture.266"
        _run(
            [
                *(program, *_QUIET, *_RAW, "-s", f"{columns}x{rows}", "-r", "1", "-i", "-", "-frames:v", "1"),
                *("-c:v", "libvvenc", "-preset", preset, "-qp", str(quantiser_of(setting)), "-qpa", "0"),
                *("-vvenc-params", ":".join(options), "-f", "vvc", str(target)),
            ],
            luma.tobytes() + chroma.tobytes(),
            pixels=luma.size,
        )
        return target.read_bytes()


def quantiser_of(setting: float) -> int:
    """The QP of a setting."""
    return QUANTISERS - round((setting - 1) * QUANTISERS / 99)


def setting_of(quantiser: float) -> float:
    """The setting of a QP."""
    return 1 + (QUANTISERS - quantiser) * 99 / QUANTISERS


def decode_vvc(stream: bytes) -> np.ndarray:
    """The uint16 codes of a byte stream's one picture, (rows, columns) of `padded_shape`.

    Raises:
        MedsrError: it is damaged or no such stream, or there is no ffmpeg.
    """
    rows, columns = picture_shape(stream)
    size = rows * columns
    raw = _run(
        [
            *(_program(), *_QUIET, "-xerror", "-err_detect", "explode", "-max_pixels", str(2 * size + _LARGE)),
            *("-f", "vvc", "-i", "-", *_RAW, "-"),
        ],
        stream,
        pixels=size,
    )
    if len(raw) != 3 * size:  # two bytes of luma and two halves of chroma, of one picture
        raise MedsrError("the VVC code stream is damaged: it holds other pictures than it says")
    luma = np.frombuffer(raw, "<u2", size).reshape(rows, columns)
    codes: np.ndarray = np.rint(luma * np.float32(_CODES / _LEVELS)).astype(np.uint16)
    return codes


_QUIET = ("-hide_banner", "-nostdin", "-loglevel", "error")
_RAW = ("-f", "rawvideo", "-pix_fmt", "yuv420p10le")


def _run(command: list[str], data: bytes, *, pixels: int) -> bytes:
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=_SECONDS + pixels // _PIXELS_A_SECOND, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MedsrError(f"VVC: ffmpeg doesn't run ({error})", remedy=_REMEDY) from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise MedsrError(f"ffmpeg finds a fault in VVC ({said[-1] if said else 'no reason'})")
    return done.stdout


@functools.cache
def _program() -> str:
    """The path of ffmpeg.

    Raises:
        MedsrError: there is none.
    """
    if named := os.environ.get(_VARIABLE):
        return named
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError):  # the package has no program for this machine
        found = shutil.which("ffmpeg")
    if found is None:
        raise MedsrError("VVC needs the program ffmpeg, and there is none", remedy=_REMEDY)
    return found


@functools.cache
def _has_encoder(program: str) -> bool:
    try:
        said = subprocess.run(
            [program, "-hide_banner", "-h", "encoder=libvvenc"], capture_output=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return b"Encoder libvvenc" in said.stdout
