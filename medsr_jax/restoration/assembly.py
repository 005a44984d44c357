"""A packet split into tiles, and its restored image assembled from their results."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np

from medsr_jax.imaging.av1_quantiser import base_quantiser
from medsr_jax.jpeg.tables import luminance_table
from medsr_jax.models.compact import quantisation_strength
from medsr_jax.models.conditions import condition_of_avif, condition_of_jpeg, condition_of_jpeg2000
from medsr_jax.restoration.consistency import largest_violation
from medsr_jax.restoration.function import Inputs, Outputs
from medsr_jax.restoration.options import GRID
from medsr_jax.restoration.tiles import Span, spans
from medsr_jax.transmission.downscaling import downscale
from medsr_jax.transmission.mapping import above, from_codes, to_stored
from medsr_jax.transmission.packet import Packet

OTHER_CODECS_STRENGTH = 0.6
"""The strength of quantisation given to a network for a packet that is no JPEG, relative to the JPEG of its quality,
which is as faithful. JPEG 2000 and AVIF leave no blocks, but noise, which a network keeps if the strength is 0. Over 12
validation radiographs at q 50, 60, 75 and 90 the gain is flat from 0.5 to 0.8, and up to 0.3 dB more than with 0."""


@dataclasses.dataclass(frozen=True, repr=False)
class Restored:
    """What came out of a packet.

    Attributes:
        pixels: (frames, rows, columns) of the original's size, dtype and value range.
        violation: the largest distance of the result's DCT coefficients, downsampled as the sender does, from the
            intervals that the JPEG states, in quantisation steps; None where the packet states none.
        violation_before: the same before the result was fitted to them; None where it was not.
        departure: where no intervals are stated (AV1, JPEG 2000, VVC): root mean square difference of the result,
            downsampled as the sender does, from the small image that was decoded, in levels of 255; else None.
        notes: what the reader of the image should know.
        spread: (frames, rows, columns) float32, in the units of the pixels: the standard deviation of the network's
            answers to the eight flips and transposes of what was sent (`ensemble`), before the fit; None where it was
            not requested. It shows where the network contradicts itself, and is no probability: what all views miss,
            or the sender lost, it does not show.
        model: what made it, in a few words.
        identity: the same for the same results from the same packet: hash of the parameters, and what else shapes them.
    """

    pixels: np.ndarray
    violation: float | None
    violation_before: float | None = None
    notes: tuple[str, ...] = ()
    spread: np.ndarray | None = None
    model: str = ""
    identity: str = ""
    departure: float | None = None

    @property
    def agreement(self) -> str:
        """How far the result contradicts its packet, in words; empty where nothing was sent that it could."""
        if self.violation is None:
            if self.departure is None:
                return ""
            return f"departs from what was decoded by {self.departure:.2f} of 255 levels (RMS)"
        text, before = f"agrees with what was sent to {self.violation:.2f} quantisation steps", self.violation_before
        return text if before is None else f"{text} ({before:.2f} before the fit)"

    def __repr__(self) -> str:
        frames, rows, columns = self.pixels.shape
        many = f"{frames} frames of " if frames > 1 else ""
        fit = "" if self.violation is None else f", violation {self.violation:.2f}"
        fit += "" if self.departure is None else f", departure {self.departure:.2f}"
        return f"Restored({many}{rows}x{columns} {self.pixels.dtype} by {self.model}{fit})"


@dataclasses.dataclass(frozen=True)
class Job:
    """One tile of one frame of one packet."""

    packet: int
    frame: int
    rows: Span
    columns: Span


class Assembly:
    """A packet decoded, and the arrays that its tiles are written into as they come."""

    def __init__(self, packet: Packet, *, refine: bool, conditional: bool = False) -> None:
        header = packet.header
        self._packet = packet
        self._small = packet.decode()
        self._table = packet.quantisation()
        number = range(header.frames)
        self._strengths = [_condition(packet, frame) if conditional else _strength(packet) for frame in number]
        self._indices = packet.coefficients()
        self._project = refine and self._indices is not None and header.kernel == "area"
        self._before = 0.0 if self._project else None
        self._pixels = np.empty((header.frames, header.rows, header.columns), header.dtype)
        self._spread: np.ndarray | None = None

    def jobs(self, number: int, *, tile: int | None, halo: int) -> list[Job]:
        """The tiles of all frames."""
        frames, rows, columns = self._small.shape
        row_spans = spans(rows, tile=tile, halo=halo)
        column_spans = spans(columns, tile=tile, halo=halo)
        return [Job(number, *job) for job in itertools.product(range(frames), row_spans, column_spans)]

    def shape(self, job: Job) -> tuple[Any, ...]:
        """What must be equal within a batch."""
        return job.rows.size, job.columns.size, self._small.dtype.str, self._project

    def inputs(self, job: Job) -> Inputs:
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
            strength=np.asarray(self._strengths[job.frame], np.float32)[None],
            inverted=np.full((1,), h.inverted),
            valid=np.asarray([valid], np.int32),
            indices=indices,
            table=table,
        )

    def place(self, job: Job, outputs: Outputs, number: int) -> None:
        """Keep the tile's own part of what is ``number`` in the batch: the pixels as stored values."""
        h = self._packet.header
        values = from_codes(self._own(job, outputs.image[number]), low=h.low, high=h.high, levels=1)
        self._part(job, self._pixels)[...] = to_stored(values, dtype=h.dtype, value_range=h.value_range)
        if outputs.spread is not None:
            if self._spread is None:
                self._spread = np.empty(self._pixels.shape, np.float32)
            # A deviation has no origin: only the mapping's slope applies.
            self._part(job, self._spread)[...] = self._own(job, outputs.spread[number]) * np.float32(h.high - h.low)
        if outputs.before is not None:
            self._note_violation(job, np.asarray(outputs.before[number]))

    def _own(self, job: Job, restored: Any) -> np.ndarray:
        """The part of a window's result (scale H, scale W, 1) that is kept, without what lies beyond the image."""
        h = self._packet.header
        rows, columns = (
            slice((span.keep - span.start) * h.scale, min(span.stop * h.scale, side) - span.start * h.scale)
            for span, side in ((job.rows, h.rows), (job.columns, h.columns))
        )
        return np.asarray(restored)[rows, columns, 0]

    def _part(self, job: Job, whole: np.ndarray) -> np.ndarray:
        """The tile's place in (frames, rows, columns)."""
        scale = self._packet.header.scale
        rows, columns = (slice(span.keep * scale, span.stop * scale) for span in (job.rows, job.columns))
        return whole[job.frame, rows, columns]

    def _note_violation(self, job: Job, blocks: np.ndarray) -> None:
        """Take the largest of the tile's own blocks into account; those of its halo are another tile's."""
        rows, columns = (
            slice((span.keep - span.start) // GRID, -(-(span.stop - span.start) // GRID))
            for span in (job.rows, job.columns)
        )
        self._before = max(self._before or 0.0, float(blocks[rows, columns].max()))

    def finish(self, *, model: str, identity: str = "", notes: tuple[str, ...] = ()) -> Restored:
        """The whole image, checked against what was sent; labelled with what made it, and with notes on that."""
        notes = (*self._packet.header.notes, *notes)
        # Judged without padding, which the sender's small image did not have either.
        violation, padding = self._violation(), self._packet.header.padding
        departure = self._departure() if violation is None else None
        pixels = self._pixels if padding is None else padding.applied(self._pixels)
        return Restored(pixels, violation, self._before, notes, self._spread, model, identity, departure)

    def _violation(self) -> float | None:
        h = self._packet.header
        if self._indices is None or self._table is None or h.kernel != "area" or h.high <= h.low:
            return None
        worst = 0.0
        for frame, indices in zip(self._pixels, self._indices, strict=True):
            worst = max(worst, largest_violation(self._sent_again(frame), indices, self._table))
        return worst

    def _departure(self) -> float | None:
        h = self._packet.header
        if h.high <= h.low:
            return None
        decoded = (codes * np.float32(255.0 / h.levels) for codes in self._small)
        squares = [
            np.mean(np.square(self._sent_again(frame) - codes), dtype=np.float64)
            for frame, codes in zip(self._pixels, decoded, strict=True)
        ]
        return float(np.sqrt(np.mean(squares)))

    def _sent_again(self, frame: np.ndarray) -> np.ndarray:
        """A result as the sender would shrink it, in levels 0..255 that are not rounded."""
        h = self._packet.header
        small = downscale(above(frame, h.low), scale=h.scale, kernel=h.kernel) * (255.0 / (h.high - h.low))
        result: np.ndarray = np.clip(small, 0.0, 255.0)
        return result


def _strength(packet: Packet) -> float:
    table = packet.quantisation()
    if table is not None:
        return quantisation_strength(table)
    return OTHER_CODECS_STRENGTH * quantisation_strength(luminance_table(packet.header.quality))


def _condition(packet: Packet, frame: int) -> np.ndarray:
    """(3,), see `models.conditions`."""
    table = packet.quantisation()
    if table is not None:
        return condition_of_jpeg(table)
    if packet.header.codec == "avif" and packet.streams[frame]:
        return condition_of_avif(base_quantiser(packet.streams[frame]))
    return condition_of_jpeg2000(packet.header.quality)


def _window(array: np.ndarray, rows: Span, columns: Span, *, fill: Any) -> np.ndarray:
    """The part of ``array`` in a window, filled up to its size."""
    part = array[rows.start : rows.start + rows.size, columns.start : columns.start + columns.size]
    missing = (rows.size - part.shape[0], columns.size - part.shape[1])
    pads = ((0, missing[0]), (0, missing[1]), *[(0, 0)] * (part.ndim - 2))
    return np.pad(part, pads, mode=fill) if any(missing) else part
