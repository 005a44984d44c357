"""`Restorer`: packets of any size through one model, in batches and tiles."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from medsr_jax import zoo
from medsr_jax.errors import MedsrError
from medsr_jax.models import build
from medsr_jax.restoration.assembly import Assembly, Job, Restored
from medsr_jax.restoration.ensemble import CHOICES, usual_views
from medsr_jax.restoration.function import Inputs, Outputs, make_restore, make_restore_outside
from medsr_jax.restoration.tiles import GRID
from medsr_jax.transmission.packet import Packet
from medsr_jax.zoo.grey import for_grey

DEFAULT_MODEL = "xray-x4"
DEFAULT_TILE = 256
# Small pixels around a tile. What a pixel that is further away changes is under one 8-bit level: measured on
# the packaged model by scripts/benchmark_tiles.py. The receptive field itself is wider.
HALO = 32


class Restorer:
    """Restores packets with one model; programs are compiled once for each shape of tile.

    Args:
        model: a packaged model's name, the path of a weights file, or weights. Models of three channels are folded to
            one (`zoo.grey`).
        tile: small pixels on a side that a tile keeps, a multiple of 8; None restores each image whole.
        halo: small pixels computed around a tile and not kept, a multiple of 8.
        batch: tiles or frames that go through the network at once.
        refine: project the result onto what the JPEG allows.
        smooth: denoise after the generator; off, since on the packaged model's output it changes nothing that can be
            measured (README, quality).
        dtype: the type computed in. When None: in XLA, bfloat16 on an accelerator and float32 on a CPU; float32 in
            other backends.
        backend: what computes the network: "xla", in one program with all else, or one of `restoration.backends`.
        ensemble: average the network's answers to several views of the small image (`restoration.ensemble`), at as many
            times the work.
        views: of the ensemble: 2 for the image and its mirror image, 4 for all flips, 8 for their transposes too; None
            for what suits the model (`ensemble.usual_views`).
        uncertainty: give the spread of the answers to all eight views, at eight times the work; the result is that of
            the ensemble.

    Raises:
        MedsrError: the model or the backend can't be had, or an option is out of its range.
    """

    def __init__(
        self,
        model: str | pathlib.Path | zoo.Weights = DEFAULT_MODEL,
        *,
        tile: int | None = DEFAULT_TILE,
        halo: int = HALO,
        batch: int = 1,
        refine: bool = True,
        smooth: bool = False,
        dtype: Any = None,
        backend: str = "xla",
        ensemble: bool = False,
        views: int | None = None,
        uncertainty: bool = False,
    ) -> None:
        if tile is not None and (tile < GRID or tile % GRID):
            raise MedsrError(f"--tile: {tile} is not a multiple of {GRID}; 256 is a good value")
        if halo < 0 or halo % GRID:
            raise MedsrError(f"halo: {halo} is not a multiple of {GRID}")
        if batch < 1:
            raise MedsrError(f"--batch: {batch} is less than 1")
        if views is not None and views not in CHOICES:
            raise MedsrError(f"--views: {views} is none of {', '.join(map(str, CHOICES))}")
        self.weights = for_grey(model if isinstance(model, zoo.Weights) else zoo.load(model))
        # What an accelerator's default is goes without saying.
        self._precision = "" if dtype in (None, jnp.float32) else jnp.dtype(dtype).name
        if dtype is None:
            dtype = jnp.float32 if backend != "xla" or jax.default_backend() == "cpu" else jnp.bfloat16
        module = build(self.weights.model, self.weights.fields, dtype=dtype)
        self.scale: int = module.scale  # type: ignore[attr-defined]
        self.tile, self.halo, self.batch, self.refine = tile, halo, batch, refine
        self.backend = backend
        self.views = (views or usual_views(self.weights.model)) if ensemble or uncertainty else 1
        options: dict[str, Any] = {"scale": self.scale, "smooth": smooth, "views": self.views, "spread": uncertainty}
        self._restore: Callable[[Inputs], Outputs]
        if backend == "xla":
            program, params = make_restore(module, **options), jax.device_put(self.weights.params)
            self._restore = lambda inputs: program(params, jax.device_put(inputs))
        else:
            from medsr_jax.restoration.backends import open_backend

            self._restore = make_restore_outside(open_backend(backend, self.weights, dtype=dtype), **options)

    @property
    def name(self) -> str:
        """The model's name, as results are labelled with it."""
        return self.weights.card.get("name") or self.weights.path.stem

    @property
    def label(self) -> str:
        """The name, and what else shaped the result: the ensemble, a backend that is not XLA, half precision."""
        words = [self.name]
        words += [f"x{self.views} self-ensemble"] if self.views > 1 else []
        words += [self.backend] if self.backend != "xla" else []
        words += [self._precision] if self._precision else []
        return ", ".join(words)

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
            outputs = jax.device_get(self._restore(inputs))
            for number, job in enumerate(group):
                prepared[job.packet].place(job, outputs, number)
            done += len(group)
            if progress is not None:
                progress(done, len(jobs))
        return [item.finish() for item in prepared]

    def _prepare(self, packet: Packet) -> Assembly:
        header = packet.header
        if header.scale != self.scale:
            raise MedsrError(
                f"the packet was shrunk by {header.scale} and the model enlarges by {self.scale}: name a model for"
                f" this scale with --model (`medsr models` lists them), or send with --scale {self.scale}"
            )
        return Assembly(packet, refine=self.refine)


def _batches(jobs: Sequence[Job], prepared: Sequence[Assembly], batch: int) -> list[list[Job]]:
    """Jobs of one shape together, ``batch`` at a time."""
    by_shape: dict[Any, list[Job]] = {}
    for job in jobs:
        by_shape.setdefault(prepared[job.packet].shape(job), []).append(job)
    return [group[first : first + batch] for group in by_shape.values() for first in range(0, len(group), batch)]


def _stack(inputs: Sequence[Inputs]) -> Inputs:
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *inputs)
