"""Guards of a run: stop at values that are not finite, warn when GAN training collapses."""

from __future__ import annotations

import dataclasses
import logging
import math
import pathlib
from collections.abc import Mapping

from medsr_jax.errors import MedsrError
from medsr_jax.training.config.schema import CollapseAlarms
from medsr_jax.training.steps.metrics import StepHealth

_log = logging.getLogger(__name__)


@dataclasses.dataclass
class Guard:
    """Stops a run whose losses or updates are not finite; such an update is not applied.

    Args:
        on_not_finite: "stop", or "skip" to continue with a warning.
        most_skips: skipped updates in a row that stop the run under "skip" too.
        workdir: of the run, for the message.
    """

    on_not_finite: str
    most_skips: int
    workdir: pathlib.Path
    _skipped: int = 0

    def check(self, health: StepHealth, *, step: int, checkpoint: int | None) -> None:
        """Check a step.

        Args:
            health: of the step, host numbers.
            step: its number.
            checkpoint: step of the last checkpoint.

        Raises:
            MedsrError: the step was not finite, and this stops the run.
        """
        if health.finite:
            self._skipped = 0
            return
        self._skipped += 1
        what = f"loss {float(health.loss):g}"
        if health.discriminator_loss or not math.isfinite(health.discriminator_loss):
            what += f", discriminator's loss {float(health.discriminator_loss):g}"
        what += ", or their update, is not finite"
        if self.on_not_finite == "skip" and self._skipped < self.most_skips:
            _log.warning("step %d: %s; the update was skipped", step, what)
            return
        advice = "lower config.optimizer.learning_rate"
        if self.on_not_finite == "skip":
            what += f", as in each of the last {self._skipped} steps (config.most_skips)"
        else:
            advice += ", or set config.on_not_finite=skip"
        raise MedsrError(
            f"{self.workdir}: at step {step} {what}", remedy=f"{_since(checkpoint)}: {advice}, and resume from it"
        )

    def check_score(self, score: float, *, step: int, checkpoint: int | None) -> None:
        """Check the score of a validation, which is NaN if an output is not finite.

        Raises:
            MedsrError: it is NaN.
        """
        if math.isnan(score):
            raise MedsrError(
                f"{self.workdir}: at step {step} the validation's score is not a number",
                remedy=f"{_since(checkpoint)}: lower config.optimizer.learning_rate, and resume from it",
            )


def _since(checkpoint: int | None) -> str:
    return "there is no checkpoint" if checkpoint is None else f"the last checkpoint is of step {checkpoint}"


@dataclasses.dataclass
class CollapseDetector:
    """Warns when GAN training collapses: a saturated discriminator, or a constant output.

    Args:
        alarms: ``config.alarms``.
    """

    alarms: CollapseAlarms
    _saturated: int = 0
    _constant: int = 0

    def check(self, step: int, values: Mapping[str, float]) -> list[str]:
        """Check the averages of a log interval; the warnings, which are logged too."""
        raised = []
        right = values.get("accuracy")
        if right is not None:
            self._saturated = self._saturated + 1 if max(right, 1.0 - right) >= self.alarms.accuracy else 0
            if self._saturated >= self.alarms.patience:
                raised.append(
                    f"the discriminator has been right {100 * right:.1f} % of the time for {self._saturated} logs: the"
                    " generator learns nothing from it; lower config.discriminator.learning_rate or"
                    " config.objective.adversarial_weight"
                    if right > 0.5
                    else f"the discriminator has been wrong {100 - 100 * right:.1f} % of the time for {self._saturated}"
                    " logs; raise config.discriminator.learning_rate"
                )
        target = values.get("target_deviation", 0.0)
        if target > 0.0:
            flat = values.get("output_deviation", target) < self.alarms.deviation * target
            self._constant = self._constant + 1 if flat else 0
            if self._constant >= self.alarms.patience:
                raised.append(
                    f"the generator's output has been nearly constant for {self._constant} logs; start again with a"
                    " lower config.optimizer.learning_rate"
                )
        for alarm in raised:
            _log.warning("step %d: %s", step, alarm)
        return raised
