"""SRCNN (Dong et al., arXiv 1501.00092), the paper's oldest neural row, on the sender's own pairs.

9-5-5 with 64 and 32 features over a bicubic enlargement, mean squared error. The original trains by plain gradient
descent with smaller rates in the last layer; here it is Adam. Not run at full length here;
``:equal`` is the budget of Table 1 (docs/results.md).
"""

from __future__ import annotations

import ml_collections

from medsr_jax.training.config.schema import defaults
from medsr_jax.training.config.variants import EQUAL_FIRST, EQUAL_SAMPLES, varied


def get_config(variant: str = "") -> ml_collections.ConfigDict:
    """The fields of the run; any can be set with ``--config.FIELD=VALUE``."""
    c = defaults()
    c.steps = 100_000
    c.batch = 16
    c.model.name = "srcnn"
    c.model.fields = {"channels": 1, "scale": 4}
    c.objective.pixel = "mse"
    c.optimizer.learning_rate = 1e-4
    c.data.source = "sender"
    c.card.name = "srcnn"
    return varied(c, variant, equal=EQUAL_FIRST | {"steps": sum(EQUAL_SAMPLES.values()) // 8}, tiny={})
