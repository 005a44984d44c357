"""Learning rates over the steps of a run, and what lowers them or ends the run when validation stops improving."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import optax
from flax.training.early_stopping import EarlyStopping
from optax import contrib

NAMES = ("constant", "cosine", "multistep")


def learning_rate(
    name: str,
    *,
    peak: float,
    steps: int,
    warmup: int,
    final: float = 0.0,
    milestones: Sequence[int] = (),
    factor: float = 0.5,
) -> optax.Schedule:
    """A linear warm-up from 0 to ``peak`` and then a schedule.

    Args:
        name: ``constant``; ``cosine`` (Loshchilov and Hutter, arXiv 1608.03983) down to ``final`` at ``steps``; or
            ``multistep``, times ``factor`` at each milestone.
        peak: the highest rate.
        steps: updates in all, the warm-up included.
        warmup: updates of the warm-up.
        final: where the cosine ends.
        milestones: updates, the warm-up included, rising.
        factor: of each milestone.
    """
    if name == "cosine":
        return optax.warmup_cosine_decay_schedule(0.0, peak, warmup, steps, end_value=final)
    schedule = optax.constant_schedule(peak)
    if name == "multistep":
        schedule = optax.piecewise_constant_schedule(peak, {step - warmup: factor for step in milestones})
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), schedule], [warmup]) if warmup else schedule


@dataclasses.dataclass
class ValidationSchedule:
    """Steering of a run by its validations: the paper's adaptive rate and its early stopping.

    It looks at a score of which higher is better: PSNR in dB, or LPIPS with its sign turned.

    Args:
        plateau: fields of ``config.plateau``.
        stopping: fields of ``config.early_stopping``.

    Attributes:
        rate_scale: what the learning rates are to be multiplied by.
        finished: validation has not improved for too long.
        best: the highest score so far.
    """

    plateau: dict[str, Any]
    stopping: dict[str, Any]
    rate_scale: float = 1.0
    finished: bool = False
    best: float = -math.inf

    def __post_init__(self) -> None:
        p, s = self.plateau, self.stopping
        # Optax minimises, so it is given the negative score; its own gradient transformation is not used.
        self._reduce = contrib.reduce_on_plateau(
            factor=p["factor"], patience=p["patience"], rtol=0.0, atol=p["min_delta"], min_scale=p["min_scale"]
        )
        self._plateau = self._reduce.init(jnp.zeros(()))
        self._stop = EarlyStopping(min_delta=s["min_delta"], patience=max(s["patience"] - 1, 0))

    def validated(self, score: float) -> bool:
        """Take note of a validation; whether it is the best so far."""
        improved = score > self.best
        self.best = max(self.best, score)
        if self.plateau["enabled"]:
            _, self._plateau = self._reduce.update(jnp.zeros(()), self._plateau, value=-score)
            self.rate_scale = float(self._plateau.scale)
        if self.stopping["enabled"]:
            self._stop = self._stop.update(-score)
            self.finished = bool(self._stop.should_stop)
        return improved

    def saved(self) -> dict[str, Any]:
        """All of it as what JSON holds."""
        return {
            "best": self.best if math.isfinite(self.best) else None,
            "rate_scale": self.rate_scale,
            "finished": self.finished,
            "plateau": {name: _json(value) for name, value in self._plateau._asdict().items()},
            "stopping": {"best_metric": _json(self._stop.best_metric), "patience_count": self._stop.patience_count},
        }

    def resume(self, saved: dict[str, Any]) -> None:
        """Go on from what `saved` gave."""
        self.best = -math.inf if saved["best"] is None else saved["best"]
        self.rate_scale, self.finished = saved["rate_scale"], saved["finished"]
        self._plateau = type(self._plateau)(
            **{
                name: jnp.asarray(math.inf if value is None else value, getattr(self._plateau, name).dtype)
                for name, value in saved["plateau"].items()
            }
        )
        stop = saved["stopping"]
        best = math.inf if stop["best_metric"] is None else stop["best_metric"]
        self._stop = self._stop.replace(
            best_metric=best, patience_count=stop["patience_count"], should_stop=self.finished
        )


def _json(value: Any) -> float | int | None:
    number = value.item() if hasattr(value, "item") else value
    return number if math.isfinite(number) else None
