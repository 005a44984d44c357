from typing import Any

import numpy as np
import pytest

from medsr_jax.data.crops import Crops
from medsr_jax.data.loading import batches
from medsr_jax.errors import MedsrError


@pytest.fixture(scope="module")
def crops() -> Crops:
    return Crops([np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)], side=8, seed=0)


def test_a_batch_holds_its_samples_in_order(crops: Crops) -> None:
    data = batches(crops, batch=4)
    for number in range(3):
        expected = np.stack([crops[4 * number + row]["hr"] for row in range(4)])
        np.testing.assert_array_equal(next(data)["hr"], expected)


@pytest.mark.parametrize("hosts", [2, 4])
def test_hosts_see_together_what_one_host_sees(crops: Crops, hosts: int) -> None:
    whole = batches(crops, batch=8)
    shares = [batches(crops, batch=8, shard_index=host, shard_count=hosts) for host in range(hosts)]
    for _ in range(5):
        together = np.concatenate([next(share)["hr"] for share in shares])
        np.testing.assert_array_equal(together, next(whole)["hr"])


def test_a_position_serves_any_number_of_hosts_and_threads(crops: Crops) -> None:
    data = batches(crops, batch=4, threads=2)
    for _ in range(3):
        next(data)
    position = data.get_state()
    expected = next(data)["hr"]
    for options in ({"threads": 0}, {"shard_index": 1, "shard_count": 2}):
        later = batches(crops, batch=4, **options)
        later.set_state(position)
        np.testing.assert_array_equal(next(later)["hr"], expected[-2:] if "shard_index" in options else expected)


def test_threads_change_nothing(crops: Crops) -> None:
    one, many = batches(crops, batch=4), batches(crops, batch=4, threads=4, prefetch=2)
    for _ in range(10):
        np.testing.assert_array_equal(next(one)["hr"], next(many)["hr"])


@pytest.mark.parametrize(
    "options",
    [{"batch": 3, "shard_count": 2}, {"batch": 0}, {"batch": 4, "shard_count": 2, "shard_index": 2}, {"batch": -4}],
)
def test_a_batch_that_does_not_divide_is_refused(crops: Crops, options: Any) -> None:
    with pytest.raises(ValueError, match="batch|shard_index"):
        batches(crops, **options)


def test_an_error_of_the_source_arrives_as_it_is(crops: Crops) -> None:
    small = Crops([np.zeros((4, 4), np.uint8)], side=8, seed=0)
    with pytest.raises(MedsrError, match="were all smaller"):
        next(batches(small, batch=2))
