"""Identities and histories of derived objects."""

from __future__ import annotations

import pytest
from pydicom.dataset import Dataset

from medsr_jax.imaging.dicom.provenance import set_identity


def _source(**attributes: object) -> Dataset:
    source = Dataset()
    for keyword, value in {"SOPInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2", "StudyInstanceUID": "1"}.items():
        setattr(source, keyword, value)
    for keyword, value in attributes.items():
        setattr(source, keyword, value)
    return source


def _derived(source: Dataset, **changes: object) -> Dataset:
    dataset = Dataset()
    dataset.StudyInstanceUID = source.StudyInstanceUID
    options = {"series_description": "restored", "series_offset": 7, "series_identity": "a", "identity": "b"} | changes
    set_identity(dataset, source, **options)  # type: ignore[arg-type]
    return dataset


def test_the_same_work_makes_the_same_object_and_no_other() -> None:
    one = _derived(_source())
    assert one == _derived(_source())
    assert one.StudyInstanceUID == "1"
    assert len({one.SOPInstanceUID, one.SeriesInstanceUID, "1.2.3", "1.2"}) == 4
    for other in (
        _derived(_source(SOPInstanceUID="1.2.4")),
        _derived(_source(), identity="another quality"),
    ):
        assert (other.SeriesInstanceUID, other.SOPInstanceUID) != (one.SeriesInstanceUID, one.SOPInstanceUID)
        assert other.SeriesInstanceUID == one.SeriesInstanceUID
    for other in (
        _derived(_source(SeriesInstanceUID="1.5")),
        _derived(_source(), series_identity="another model"),
        _derived(_source(), series_description="sent"),
    ):
        assert other.SeriesInstanceUID != one.SeriesInstanceUID


@pytest.mark.parametrize(
    ("number", "expected"),
    # An Integer String holds -2^31 to 2^31 - 1 (PS3.5, table 6.2-1).
    [(None, 7), ("3", 307), ("21474836", 2_147_483_607), ("21474837", None), ("-21474837", None)],
)
def test_a_series_has_a_hundred_times_the_number_of_its_source(number: str | None, expected: int | None) -> None:
    source = _source() if number is None else _source(SeriesNumber=number)
    assert _derived(source).SeriesNumber == expected
