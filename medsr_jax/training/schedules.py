"""Learning-rate schedules: functions of the config that return Optax schedules."""

from __future__ import annotations

import optax

from medsr_jax.errors import MedsrError

NAMES = ("constant", "cosine")


def learning_rate(name: str, *, peak: float, steps: int, warmup: int, final: float = 0.0) -> optax.Schedule:
    """A linear warm-up from 0 to ``peak`` and then the named course.

    Args:
        name: ``constant``, or ``cosine`` (Loshchilov and Hutter 2017) down to ``final`` at ``steps``.
        peak: the highest rate.
        steps: updates in all, the warm-up included.
        warmup: updates of the warm-up.
    """
    if warmup >= steps:
        raise MedsrError(f"config.optimizer.warmup: {warmup} updates do not fit into config.steps, {steps}")
    if name == "constant":
        return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), optax.constant_schedule(peak)], [warmup])
    if name == "cosine":
        return optax.warmup_cosine_decay_schedule(0.0, peak, warmup, steps, end_value=final)
    raise MedsrError(f"config.optimizer.schedule: {name!r} is none of {', '.join(NAMES)}")
