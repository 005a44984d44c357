"""What stops a run that has gone wrong, or warns of it."""

from __future__ import annotations

import dataclasses
import logging
import math
import pathlib
from collections.abc import Mapping

from medsr_jax.errors import MedsrError
from medsr_jax.training.steps.metrics import StepHealth

_log = logging.getLogger(__name__)


@dataclasses.dataclass
class Guard:
    """Stops a run whose numbers are not finite; the update that they belong to was left out already.

    Args:
        policy: ``stop``, or ``skip`` to go on with a warning.
        most_skips: updates in a row that may be left out before even ``skip`` stops: then nothing is learnt any more.
        workdir: of the run, for the message.
    """

    policy: str
    most_skips: int
    workdir: pathlib.Path
    _skipped: int = 0

    def check(self, health: StepHealth, *, step: int, checkpoint: int | None) -> None:
        """Look at a step's sign of life.

        Args:
            health: host numbers.
            step: it is of.
            checkpoint: step of the last one.

        Raises:
            MedsrError: something was not finite, and the policy is to stop, or it was so for too many steps.
        """
        if health.finite:
            self._skipped = 0
            return
        self._skipped += 1
        what = f"loss {float(health.loss):g}"
        if health.discriminator_loss or not math.isfinite(health.discriminator_loss):
            what += f", discriminator's loss {float(health.discriminator_loss):g}"
        what += ", or what an update of them would make, is not finite"
        if self.policy == "skip" and self._skipped < self.most_skips:
            _log.warning("step %d: %s; the update was left out", step, what)
            return
        advice = "lower config.optimizer.learning_rate"
        if self.policy == "skip":
            what += f", as in all of the last {self._skipped} steps (config.most_skips)"
        else:
            advice += ", or set config.on_not_finite=skip"
        raise MedsrError(
            f"{self.workdir}: at step {step} {what}", remedy=f"{_since(checkpoint)}: {advice}, and start again from it"
        )

    def check_score(self, score: float, *, step: int, checkpoint: int | None) -> None:
        """Look at a validation's score, which an output that is not finite leaves no number.

        Raises:
            MedsrError: it is NaN.
        """
        if math.isnan(score):
            raise MedsrError(
                f"{self.workdir}: at step {step} the validation's score is not a number",
                remedy=f"{_since(checkpoint)}: lower config.optimizer.learning_rate, and start again from it",
            )


def _since(checkpoint: int | None) -> str:
    return "there is no checkpoint" if checkpoint is None else f"the last checkpoint is of step {checkpoint}"


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

    def check(self, step: int, values: Mapping[str, float]) -> list[str]:
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
