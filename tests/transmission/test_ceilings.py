from __future__ import annotations

import pytest

from medsr_jax.transmission.ceilings import ratio_label

GERMAN, CANADIAN = "10:1 (German consensus)", "30:1 (Canadian guideline)"


@pytest.mark.parametrize(
    ("ratios", "said"),
    [
        ([109.2], f"109:1, above {GERMAN} and {CANADIAN}"),
        ([8.25], f"8.2:1, below {GERMAN} and {CANADIAN}"),
        ([10], f"10.0:1, below {GERMAN} and {CANADIAN}"),
        ([12.34], f"12.3:1, above {GERMAN}, below {CANADIAN}"),
        ([8, 9.4], f"8.0:1 to 9.4:1, below {GERMAN} and {CANADIAN}"),
        ([60, 5], f"5.0:1 to 60.0:1, in part above {GERMAN} and {CANADIAN}"),
        ([10, 12], f"10.0:1 to 12.0:1, in part above {GERMAN}, below {CANADIAN}"),
        ([20, 150], f"20.0:1 to 150:1, above {GERMAN}, in part above {CANADIAN}"),
    ],
)
def test_a_ratio_is_set_against_the_ceilings_of_chest_radiographs(ratios: list[float], said: str) -> None:
    assert ratio_label(*ratios) == f"{said}, the published ceilings for lossy chest radiographs"
