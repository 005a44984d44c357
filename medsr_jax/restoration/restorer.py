"""`Restorer`: packets of any size and scale, in batches and tiles."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from medsr_jax.errors import MedsrError, ParameterError
from medsr_jax.restoration.assembly import Assembly, Job, Restored
from medsr_jax.restoration.function import Inputs
from medsr_jax.restoration.options import BICUBIC, DEFAULT_TILE, GRID, VIEWS, check_choice, check_tiles
from medsr_jax.restoration.program import Program, interpolation_program, name_of, network_program
from medsr_jax.transmission.options import AUTO
from medsr_jax.transmission.packet import Packet
from medsr_jax.weights import model_file
from medsr_jax.weights.grey import for_grey

DEFAULT_MODEL = "xray-x4"
AUTOMATIC = {4: DEFAULT_MODEL}
"""The packaged model that "auto" takes for a scale. On 12 validation radiographs at q 60 xray-x4 gains 0.95 dB over
bicubic interpolation with JPEG and, though trained on no other, 0.77 dB with JPEG 2000 and 0.74 dB with AVIF."""
_EMISSION = {"NM", "PT"}
"""Modalities whose packets "auto" enlarges by interpolation where they are no JPEGs. A network that learnt from
radiographs takes the sparse counts of such images for noise: of scintigraphies in JPEG 2000 one lost 0.4 dB and others
gained 0.05. With a JPEG the fit to its intervals prevents that."""
# Small pixels around a tile. What a pixel that is further away changes is under one 8-bit level: measured on
# the packaged model by scripts/benchmark/tiles.py. The receptive field itself is wider.
HALO = 32


@dataclasses.dataclass(frozen=True)
class _Task:
    """One packet in work: its tiles, and the program that restores them."""

    assembly: Assembly
    program: Program
    notes: tuple[str, ...]


class Restorer:
    """Restores packets; programs are compiled once for each shape of tile.

    Args:
        model: "auto" uses the packaged model for packets of its scale and bicubic interpolation for others, with a
            note. "bicubic" interpolates all. Else a packaged model's name, the path of a weights file,
            or weights, for packets of its scale alone; models of three channels are converted to one (`weights.grey`).
        tile: small pixels on a side that a tile keeps, a multiple of 8; None or 0 restores each image whole.
        halo: small pixels computed around a tile and not kept, a multiple of 8.
        batch: tiles or frames that go through the network at once.
        refine: project the result onto what the JPEG allows.
        dtype: the type computed in. When None: in XLA, bfloat16 on an accelerator and float32 on a CPU; float32 in
            other backends.
        backend: what computes the network: "xla", in one program with all else, or one of `restoration.backends`.
            Interpolation stays with XLA.
        ensemble: average the network's answers to several views of the small image (`restoration.ensemble`), at as many
            times the work. Interpolation has the same answer to all.
        views: of the ensemble: 2 for the image and its mirror image, 4 for all flips, 8 for their transposes too; None
            for what suits the model (`ensemble.usual_views`).
        uncertainty: give the spread of the answers to all eight views, at eight times the work; the result is that of
            the ensemble.

    Attributes:
        weights: of the named model; None for "auto" and "bicubic".
        scales: of the packets that the named model is for; None where all are.

    Raises:
        MedsrError: the model or the backend is not available, or an option is out of range.
    """

    def __init__(
        self,
        model: str | pathlib.Path | model_file.Weights = AUTO,
        *,
        tile: int | None = DEFAULT_TILE,
        halo: int = HALO,
        batch: int = 1,
        refine: bool = True,
        dtype: Any = None,
        backend: str = "xla",
        ensemble: bool = False,
        views: int | None = None,
        uncertainty: bool = False,
    ) -> None:
        check_tiles(tile or 0, batch)
        if halo < 0 or halo % GRID:
            raise ParameterError("halo", f"must be a multiple of {GRID}, not {halo}")
        check_choice("views", views, VIEWS)
        self.tile, self.batch, self.refine = tile or None, batch, refine
        self._automatic = model == AUTO
        self._uncertainty = uncertainty
        self._interpolations: dict[int, Program] = {}
        self.weights: model_file.Weights | None = None
        self.scales: tuple[int, ...] | None = None
        options: dict[str, Any] = {"halo": halo, "dtype": dtype, "backend": backend}
        options |= {"ensemble": ensemble, "views": views, "uncertainty": uncertainty}
        self._make: Callable[[model_file.Weights], Program] = lambda weights: network_program(weights, **options)
        self._programs: dict[int, Program] = {}
        if not self._automatic and model != BICUBIC:
            self.weights = for_grey(model if isinstance(model, model_file.Weights) else model_file.load(model))
            if not self.weights.scales:
                program = self._make(self.weights)
                self._programs[program.scale] = program
            self.scales = self.weights.scales or tuple(self._programs)

    @property
    def name(self) -> str:
        """The named model's name, "auto" or "bicubic"."""
        return name_of(self.weights) if self.weights is not None else AUTO if self._automatic else BICUBIC

    @property
    def label(self) -> str:
        """The name, and what else shapes results. With "auto" those of all that may; `Restored.model` is the one."""
        scales = AUTOMATIC if self._automatic else self.scales or ()
        labels = list(dict.fromkeys(self._program(scale).label for scale in scales))
        return " or ".join(labels if self.weights is not None else [*labels, BICUBIC])

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
            packets: of any sizes, frames and scales.
            progress: called with the number of tiles done and of all tiles.

        Returns:
            One result a packet, in order.
        """
        tasks = [self._task(packet) for packet in packets]
        jobs = [
            job
            for number, task in enumerate(tasks)
            for job in task.assembly.jobs(number, tile=self.tile, halo=task.program.halo)
        ]
        done = 0
        for group in _batches(jobs, tasks, self.batch):
            # The last batch is padded with copies of its first tile: another shape would have to be compiled.
            filled = [*group, *[group[0]] * (self.batch - len(group))]
            inputs = _stack([tasks[job.packet].assembly.inputs(job) for job in filled])
            outputs = jax.device_get(tasks[group[0].packet].program.restore(inputs))
            for number, job in enumerate(group):
                tasks[job.packet].assembly.place(job, outputs, number)
            done += len(group)
            if progress is not None:
                progress(done, len(jobs))
        unrefined = "" if self.refine else " not refined"
        return [
            task.assembly.finish(
                model=task.program.label, identity=f"{task.program.identity}{unrefined}", notes=task.notes
            )
            for task in tasks
        ]

    def _task(self, packet: Packet) -> _Task:
        if not isinstance(packet, Packet):
            raise MedsrError(
                f"a restorer takes packets, not a {type(packet).__name__}: read_packet(path) reads one, and"
                " restore_array(array) restores a small image"
            )
        chosen, notes = self._chosen(packet)
        return _Task(Assembly(packet, refine=self.refine, conditional=chosen.conditional), chosen, notes)

    def _program(self, scale: int) -> Program:
        """Of the model for a scale; made when it is first used, since reading weights takes part of a start."""
        if scale not in self._programs:
            weights = self.weights or model_file.load(AUTOMATIC[scale])
            self._programs[scale] = self._make(weights.at_scale(scale) if weights.scales else weights)
        return self._programs[scale]

    def _chosen(self, packet: Packet) -> tuple[Program, tuple[str, ...]]:
        """The program for a packet, and notes on the choice."""
        scale = packet.header.scale
        unsuitable = self._automatic and _is_emission(packet) and packet.header.codec != "jpeg"
        if scale in (AUTOMATIC if self._automatic else self.scales or ()) and not unsuitable:
            warning = "" if self.weights is None else self.weights.warning
            return self._program(scale), (f"model {self.name}: {warning}",) if warning else ()
        if self.weights is not None:
            own = " or ".join(map(str, self.scales or ()))
            raise MedsrError(
                f"the packet was shrunk by {scale} and the model enlarges by {own}: use the model 'auto' or one"
                f" of this scale (`medsr models` lists them), or send with a scale of {own}"
            )
        if scale not in self._interpolations:
            self._interpolations[scale] = interpolation_program(scale, uncertainty=self._uncertainty)
        notes: tuple[str, ...] = ()
        if self._automatic:
            if unsuitable and scale != 1:
                reason = f"no packaged model is for {packet.header.codec} of nuclear medicine"
            else:
                reason = f"no packaged model enlarges by {scale}"
            notes += (
                "sent at full size: no model was applied"
                if scale == 1
                else f"{reason}: enlarged by bicubic interpolation",
            )
        if self._uncertainty:
            notes += ("interpolation has no spread",)
        return self._interpolations[scale], notes


def _is_emission(packet: Packet) -> bool:
    return packet.dataset is not None and packet.dataset.get("Modality") in _EMISSION


def _batches(jobs: Sequence[Job], tasks: Sequence[_Task], batch: int) -> list[list[Job]]:
    """Jobs of one program and one shape together, ``batch`` at a time."""
    alike: dict[Any, list[Job]] = {}
    for job in jobs:
        task = tasks[job.packet]
        alike.setdefault((task.program.scale, task.program.label, task.assembly.shape(job)), []).append(job)
    return [group[first : first + batch] for group in alike.values() for first in range(0, len(group), batch)]


def _stack(inputs: Sequence[Inputs]) -> Inputs:
    result: Inputs = jax.tree.map(lambda *leaves: np.concatenate(leaves), *inputs)
    return result
