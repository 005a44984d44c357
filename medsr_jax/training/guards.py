"""What stops a run that has gone wrong, or warns of it."""

from __future__ import annotations

import dataclasses
import logging
import math
import pathlib
from collections.abc import Mapping

from medsr_jax.errors import MedsrError
from medsr_jax.training.metrics import Pulse

_log = logging.getLogger(__name__)


def check_pulse(pulse: Pulse, *, step: int, policy: str, workdir: pathlib.Path, checkpoint: int | None) -> None:
    """Look at a step's sign of life.

    Args:
        pulse: host numbers.
        step: it is of.
        policy: ``stop``, or ``skip`` to go on with a warning: the update was left out in either case.
        workdir: of the run, for the message.
        checkpoint: step of the last one.

    Raises:
        MedsrError: something was not finite, and the policy is to stop.
    """
    if pulse.finite:
        return
    what = f"loss {float(pulse.loss):g}"
    if pulse.discriminator_loss or not math.isfinite(pulse.discriminator_loss):
        what += f", discriminator's loss {float(pulse.discriminator_loss):g}"
    if policy == "skip":
        _log.warning("step %d: %s or a gradient is not finite; the update was left out", step, what)
        return
    last = "there is no checkpoint" if checkpoint is None else f"the last checkpoint is of step {checkpoint}"
    raise MedsrError(
        f"{workdir}: at step {step} {what} or a gradient is not finite; {last}: lower config.optimizer.learning_rate,"
        " or set config.on_not_finite=skip, and start again from it"
    )


@dataclasses.dataclass
class Alarms:
    """Warns of a game that is lost.

    Args:
        accuracy: of the discriminator at which it wins always; below one less this it never does.
        deviation: of the output over the target's, below which the output is taken for constant.
        patience: logs in a row.
    """

    accuracy: float
    deviation: float
    patience: int
    _stuck: int = 0
    _constant: int = 0

    def look(self, step: int, values: Mapping[str, float]) -> list[str]:
        """Note a log's averages; the alarms that they give, also as warnings."""
        raised = []
        right = values.get("accuracy")
        if right is not None:
            self._stuck = self._stuck + 1 if max(right, 1.0 - right) >= self.accuracy else 0
            if self._stuck >= self.patience:
                raised.append(
                    f"the discriminator has been right {100 * right:.1f} % of the time for {self._stuck} logs: the"
                    " generator learns nothing from it; lower config.discriminator.learning_rate or"
                    " config.objective.adversarial_weight"
                    if right > 0.5
                    else f"the discriminator has been wrong {100 - 100 * right:.1f} % of the time for {self._stuck}"
                    " logs; raise config.discriminator.learning_rate"
                )
        target = values.get("target_deviation", 0.0)
        if target > 0.0:
            flat = values.get("output_deviation", target) < self.deviation * target
            self._constant = self._constant + 1 if flat else 0
            if self._constant >= self.patience:
                raised.append(
                    f"the generator's output has been all but constant for {self._constant} logs; start again with a"
                    " lower config.optimizer.learning_rate"
                )
        for alarm in raised:
            _log.warning("step %d: %s", step, alarm)
        return raised
