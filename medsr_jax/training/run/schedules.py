"""Learning-rate schedules, and the schedule of validation: plateaus and early stopping."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import jax.numpy as jnp
import optax
from flax.training.early_stopping import EarlyStopping as FlaxEarlyStopping
from optax import contrib

from medsr_jax.training.config.schema import EarlyStopping, Optimizer, Plateau


def schedule(optimizer: Optimizer, learning_rate: float, *, steps: int) -> optax.Schedule:
    """A linear warm-up from 0, then the schedule of the config.

    "cosine" is of Loshchilov and Hutter, arXiv 1608.03983.

    Args:
        optimizer: ``schedule``, ``warmup``, ``final``, ``milestones`` (the warm-up included) and ``factor``.
        learning_rate: the peak.
        steps: of the run, the warm-up included.
    """
    warmup = optimizer.warmup
    if optimizer.schedule == "cosine":
        return optax.warmup_cosine_decay_schedule(0.0, learning_rate, warmup, steps, end_value=optimizer.final)
    after = optax.constant_schedule(learning_rate)
    if optimizer.schedule == "multistep":
        factors = {step - warmup: optimizer.factor for step in optimizer.milestones}
        after = optax.piecewise_constant_schedule(learning_rate, factors)
    return (
        optax.join_schedules([optax.linear_schedule(0.0, learning_rate, warmup), after], [warmup]) if warmup else after
    )


@dataclasses.dataclass
class ValidationSchedule:
    """The paper's adaptive learning rate and early stopping, by a score of validation.

    Higher scores are better: PSNR in dB, or negative LPIPS.

    Args:
        plateau: ``config.plateau``.
        early_stopping: ``config.early_stopping``.

    Attributes:
        rate_scale: factor on the learning rates.
        finished: whether validation has not improved for too long.
        best: the highest score so far.
    """

    plateau: Plateau
    early_stopping: EarlyStopping
    rate_scale: float = 1.0
    finished: bool = False
    best: float = -math.inf

    def __post_init__(self) -> None:
        p, s = self.plateau, self.early_stopping
        # Optax minimises, so it is given the negative score; its gradient transformation is not used.
        self._reduce = contrib.reduce_on_plateau(
            factor=p.factor, patience=p.patience, rtol=0.0, atol=p.min_delta, min_scale=p.min_scale
        )
        self._plateau = self._reduce.init(jnp.zeros(()))
        self._stop = FlaxEarlyStopping(min_delta=s.min_delta, patience=s.patience - 1)

    def validated(self, score: float) -> bool:
        """Record the score of a validation; whether it is the best so far."""
        improved = score > self.best
        self.best = max(self.best, score)
        if self.plateau.enabled:
            _, self._plateau = self._reduce.update(jnp.zeros(()), self._plateau, value=-score)
            self.rate_scale = float(self._plateau.scale)
        if self.early_stopping.enabled:
            self._stop = self._stop.update(-score)
            self.finished = bool(self._stop.should_stop)
        return improved

    def saved(self) -> dict[str, Any]:
        """The state as JSON values."""
        return {
            "best": self.best if math.isfinite(self.best) else None,
            "rate_scale": self.rate_scale,
            "finished": self.finished,
            "plateau": {name: _json(value) for name, value in self._plateau._asdict().items()},
            "early_stopping": {
                "best_metric": _json(self._stop.best_metric),
                "patience_count": self._stop.patience_count,
            },
        }

    def resume(self, saved: dict[str, Any]) -> None:
        """Continue from the state of `saved`."""
        self.best = -math.inf if saved["best"] is None else saved["best"]
        self.rate_scale, self.finished = saved["rate_scale"], saved["finished"]
        self._plateau = type(self._plateau)(
            **{
                name: jnp.asarray(math.inf if value is None else value, getattr(self._plateau, name).dtype)
                for name, value in saved["plateau"].items()
            }
        )
        stop = saved["early_stopping"]
        best = math.inf if stop["best_metric"] is None else stop["best_metric"]
        self._stop = self._stop.replace(
            best_metric=best, patience_count=stop["patience_count"], should_stop=self.finished
        )


def _json(value: Any) -> float | int | None:
    number = value.item() if hasattr(value, "item") else value
    return number if math.isfinite(number) else None
