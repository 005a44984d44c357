"""`Restorer`: packets of any size through one model, in batches and tiles."""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax import zoo
from medsr_jax.errors import MedsrError, named
from medsr_jax.models import build
from medsr_jax.models.compact import quantisation_strength
from medsr_jax.restoration.consistency import largest_violation
from medsr_jax.restoration.function import Inputs, make_restore
from medsr_jax.restoration.tiles import GRID, Span, spans
from medsr_jax.transmission.downscale import downscale
from medsr_jax.transmission.mapping import from_codes, to_stored
from medsr_jax.transmission.packet import Packet

DEFAULT_MODEL = "xray-x4"
DEFAULT_TILE = 256
# Small pixels around a tile. What a pixel that is further away changes is under one 8-bit level: measured on
# the packaged model by scripts/benchmark_tiles.py. The receptive field itself is wider.
HALO = 32


@dataclasses.dataclass(frozen=True)
class Restored:
    """What came out of a packet.

    Attributes:
        pixels: (frames, rows, columns) of the original's size, dtype and value range.
        violation: the largest distance of the result's DCT coefficients, downsampled as the sender does, from the
            intervals that the JPEG states, in quantisation steps; None where the packet states none.
        violation_before: the same before the result was fitted to them; None where it was not.
        notes: what the reader of the image should know.
    """

    pixels: np.ndarray
    violation: float | None
    violation_before: float | None = None
    notes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Job:
    """One tile of one frame of one packet."""

    packet: int
    frame: int
    rows: Span
    columns: Span


class Restorer:
    """Restores packets with one model; programs are compiled once for each shape of tile.

    Args:
        model: a packaged model's name or the path of a weights file.
        tile: small pixels on a side that a tile keeps, a multiple of 8; None restores each image whole.
        halo: small pixels computed around a tile and not kept, a multiple of 8.
        batch: tiles or frames that go through the network at once.
        refine: project the result onto what the JPEG allows.
        smooth: denoise after the generator; off, since on the packaged model's output it changes nothing that can be
            measured (README, quality).
        dtype: the type computed in: bfloat16 on an accelerator and float32 on a CPU when None.

    Raises:
        MedsrError: the model can't be had, or the tile or its halo is no multiple of 8.
    """

    def __init__(
        self,
        model: str | pathlib.Path = DEFAULT_MODEL,
        *,
        tile: int | None = DEFAULT_TILE,
        halo: int = HALO,
        batch: int = 1,
        refine: bool = True,
        smooth: bool = False,
        dtype: Any = None,
    ) -> None:
        if tile is not None and (tile < GRID or tile % GRID):
            raise MedsrError(f"--tile: {tile} is not a multiple of {GRID}; 256 is a good value")
        if halo < 0 or halo % GRID:
            raise MedsrError(f"halo: {halo} is not a multiple of {GRID}")
        if batch < 1:
            raise MedsrError(f"--batch: {batch} is less than 1")
        self.weights = zoo.load(model)
        channels = self.weights.fields.get("channels", 1)
        if channels != 1:
            raise named(
                self.weights.path, f"the model restores images of {channels} channels; name one for grey images"
            )
        if dtype is None:
            dtype = jnp.float32 if jax.default_backend() == "cpu" else jnp.bfloat16
        module = build(self.weights.model, self.weights.fields, dtype=dtype)
        self.scale: int = module.scale  # type: ignore[attr-defined]
        self.tile, self.halo, self.batch, self.refine = tile, halo, batch, refine
        self._restore = make_restore(module, scale=self.scale, smooth=smooth)
        self._params = jax.device_put(self.weights.params)

    @property
    def name(self) -> str:
        """The model's name, as results are labelled with it."""
        return self.weights.card.get("name") or self.weights.path.stem

    def __call__(self, packet: Packet) -> Restored:
        """Restore one packet.

        Raises:
            MedsrError: the packet is damaged, or of a scale that the model is not for.
        """
        return self.restore([packet])[0]

    def restore(
        self, packets: Sequence[Packet], *, progress: Callable[[int, int], None] | None = None
    ) -> list[Restored]:
        """Restore packets together, so that small ones share a batch.

        Args:
            packets: of any sizes and frames.
            progress: called with the number of tiles done and of all tiles.

        Returns:
            One result a packet, in order.
        """
        prepared = [self._prepare(packet) for packet in packets]
        jobs = [
            job for number, item in enumerate(prepared) for job in item.jobs(number, tile=self.tile, halo=self.halo)
        ]
        done = 0
        for group in _batches(jobs, prepared, self.batch):
            # A last batch is filled up with copies of its first tile: one more shape would be compiled for longer.
            filled = [*group, *[group[0]] * (self.batch - len(group))]
            inputs = _stack([prepared[job.packet].inputs(job) for job in filled])
            output, before = jax.device_get(self._restore(self._params, jax.device_put(inputs)))
            for number, job in enumerate(group):
                prepared[job.packet].place(job, output[number, ..., 0], self.scale)
                if before is not None:
                    prepared[job.packet].note_violation(job, before[number])
            done += len(group)
            if progress is not None:
                progress(done, len(jobs))
        return [item.finish() for item in prepared]

    def _prepare(self, packet: Packet) -> _Prepared:
        header = packet.header
        if header.scale != self.scale:
            raise MedsrError(
                f"the packet was shrunk by {header.scale} and the model enlarges by {self.scale}: name a model for"
                f" this scale with --model (`medsr models` lists them), or send with --scale {self.scale}"
            )
        return _Prepared(packet, refine=self.refine)


class _Prepared:
    """A packet decoded, and the array that its tiles are written into as they come."""

    def __init__(self, packet: Packet, *, refine: bool) -> None:
        header = packet.header
        self._packet = packet
        self._small = packet.decode()
        self._table = packet.quantisation()
        self._strength = quantisation_strength(self._table)
        self._indices = packet.coefficients()
        self._project = refine and self._indices is not None and header.kernel == "area"
        self._before = 0.0 if self._project else None
        self._pixels = np.empty((header.frames, header.rows, header.columns), header.dtype)

    def jobs(self, number: int, *, tile: int | None, halo: int) -> list[_Job]:
        """The tiles of all frames."""
        frames, rows, columns = self._small.shape
        row_spans = spans(rows, tile=tile, halo=halo)
        column_spans = spans(columns, tile=tile, halo=halo)
        return [_Job(number, *job) for job in itertools.product(range(frames), row_spans, column_spans)]

    def shape(self, job: _Job) -> tuple[Any, ...]:
        """What must be equal within a batch."""
        return job.rows.size, job.columns.size, self._small.dtype.str, self._project

    def inputs(self, job: _Job) -> Inputs:
        """The tile with its halo, filled up by repeating the last row and column."""
        frame = self._small[job.frame]
        h = self._packet.header
        window = _window(frame, job.rows, job.columns, fill="edge")
        valid = [
            min(span.size * h.scale, side - span.start * h.scale)
            for span, side in ((job.rows, h.rows), (job.columns, h.columns))
        ]
        indices = table = None
        if self._project:
            assert self._indices is not None
            assert self._table is not None
            rows, columns = (Span(s.start // GRID, s.size // GRID, 0, 0) for s in (job.rows, job.columns))
            indices = _window(self._indices[job.frame], rows, columns, fill="constant")[None]
            table = self._table[None]
        return Inputs(
            small=window[None, ..., None],
            strength=np.full((1,), self._strength, np.float32),
            inverted=np.full((1,), h.inverted),
            valid=np.asarray([valid], np.int32),
            indices=indices,
            table=table,
        )

    def place(self, job: _Job, restored: np.ndarray, scale: int) -> None:
        """Keep the tile's own part, as stored values."""
        h = self._packet.header
        rows, columns = job.rows, job.columns
        part = restored[
            (rows.keep - rows.start) * scale : (rows.stop - rows.start) * scale,
            (columns.keep - columns.start) * scale : (columns.stop - columns.start) * scale,
        ]
        target = self._pixels[
            job.frame, rows.keep * scale : rows.stop * scale, columns.keep * scale : columns.stop * scale
        ]
        part = part[: target.shape[0], : target.shape[1]]
        values = from_codes(part, low=h.low, high=h.high, levels=1)
        target[...] = to_stored(values, dtype=h.dtype, value_range=h.value_range)

    def note_violation(self, job: _Job, blocks: np.ndarray) -> None:
        """Take the largest of the tile's own blocks into account; those of its halo are another tile's."""
        rows, columns = (
            slice((span.keep - span.start) // GRID, -(-(span.stop - span.start) // GRID))
            for span in (job.rows, job.columns)
        )
        self._before = max(self._before or 0.0, float(blocks[rows, columns].max()))

    def finish(self) -> Restored:
        """The whole image, checked against what was sent."""
        return Restored(self._pixels, self._violation(), self._before, self._packet.header.notes)

    def _violation(self) -> float | None:
        h = self._packet.header
        if self._indices is None or self._table is None or h.kernel != "area" or h.high <= h.low:
            return None
        worst = 0.0
        for frame, indices in zip(self._pixels, self._indices, strict=True):
            small = (downscale(frame, scale=h.scale, kernel=h.kernel) - h.low) * (255.0 / (h.high - h.low))
            worst = max(worst, largest_violation(np.clip(small, 0.0, 255.0), indices, self._table))
        return worst


def _window(array: np.ndarray, rows: Span, columns: Span, *, fill: Any) -> np.ndarray:
    """The part of ``array`` in a window, filled up to its size."""
    part = array[rows.start : rows.start + rows.size, columns.start : columns.start + columns.size]
    missing = (rows.size - part.shape[0], columns.size - part.shape[1])
    pads = ((0, missing[0]), (0, missing[1]), *[(0, 0)] * (part.ndim - 2))
    return np.pad(part, pads, mode=fill) if any(missing) else part


def _batches(jobs: Sequence[_Job], prepared: Sequence[_Prepared], batch: int) -> list[list[_Job]]:
    """Jobs of one shape together, ``batch`` at a time."""
    by_shape: dict[Any, list[_Job]] = {}
    for job in jobs:
        by_shape.setdefault(prepared[job.packet].shape(job), []).append(job)
    return [group[first : first + batch] for group in by_shape.values() for first in range(0, len(group), batch)]


def _stack(inputs: Sequence[Inputs]) -> Inputs:
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *inputs)
