"""Stored values that are stored differently mean the same: pydicom's modality transformation is the judge."""

from __future__ import annotations

import numpy as np
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels import apply_modality_lut
from pydicom.uid import ExplicitVRLittleEndian

from medsr_jax.imaging.dicom.stored_values import drop_padding, name_unit, rescale_values, swap_bytes

CT_IMAGE, SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.7"
NEW = np.arange(256)
RESCALE = (3.0, -50.0)  # old = 3 new - 50
OLD = 3 * NEW - 50


def _rescaled(dataset: Dataset, rescale: tuple[float, float] = RESCALE) -> tuple[float, float]:
    return rescale_values(dataset, rescale=rescale, bits_stored=8, signed=False)


def _linear(slope: float, intercept: float) -> Dataset:
    dataset = Dataset()
    dataset.RescaleSlope, dataset.RescaleIntercept = slope, intercept
    return dataset


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (2.5, -1024.0), (-1.0, 4095.0)])
def test_a_rescale_gives_the_same_output(slope: float, intercept: float) -> None:
    before, dataset = _linear(slope, intercept), _linear(slope, intercept)
    found = _rescaled(dataset)
    np.testing.assert_allclose(apply_modality_lut(NEW, dataset), apply_modality_lut(OLD, before), atol=1e-9)
    assert (
        found == (float(dataset.RescaleSlope), float(dataset.RescaleIntercept)) == (3 * slope, intercept - 50 * slope)
    )
    assert dataset.RescaleType == "US"


def test_without_a_rescale_there_is_one_afterwards_unless_values_stay() -> None:
    dataset = Dataset()
    assert _rescaled(dataset) == (3.0, -50.0)
    np.testing.assert_array_equal(apply_modality_lut(NEW, dataset), OLD)
    untouched = Dataset()
    assert _rescaled(untouched, (1.0, 0.0)) == (1.0, 0.0)
    assert len(untouched) == 0


def test_mapping_forth_and_back_leaves_no_rounding() -> None:
    dataset = _linear(1.0, 0.0)
    _rescaled(dataset, (0.1, -7.3))
    _rescaled(dataset, (10.0, 73.0))
    assert (float(dataset.RescaleSlope), float(dataset.RescaleIntercept)) == (1.0, 0.0)


@pytest.mark.parametrize(("first", "signed"), [(-10, True), (65526, True), (20, False)])
def test_a_modality_table_gives_the_same_output_at_the_new_values(first: int, signed: bool) -> None:
    """A first value of 65526 is -10, written unsigned as many writers do."""
    table = np.square(np.arange(60, dtype=np.uint16))
    item, dataset = Dataset(), Dataset()
    item["LUTDescriptor"] = DataElement("LUTDescriptor", "US" if first >= 0 else "SS", [table.size, first, 16])
    item["LUTData"] = DataElement("LUTData", "OW", table.tobytes())
    dataset.ModalityLUTSequence = [item]
    dataset.PixelRepresentation, dataset.PixelIntensityRelationshipLUTSequence = int(signed), [Dataset()]
    new = np.arange(-128, 128) if signed else NEW
    old = 2 * new + 4
    start = -10 if signed else 20
    expected = table[np.clip(old - start, 0, table.size - 1)]
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    assert rescale_values(dataset, rescale=(2.0, 4.0), bits_stored=8, signed=signed) == (1.0, 0.0)
    np.testing.assert_array_equal(apply_modality_lut(new, dataset), expected)
    assert dataset.ModalityLUTSequence[0].LUTDescriptor == [256, new[0], 16]
    assert "RescaleSlope" not in dataset and "PixelIntensityRelationshipLUTSequence" not in dataset


@pytest.mark.parametrize("keyword", ["SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"])
def test_functional_groups_are_rescaled_and_stand_alone(keyword: str) -> None:
    def multi_frame() -> Dataset:
        dataset, group = _linear(7.0, 7.0), Dataset()
        group.PixelValueTransformationSequence = [_linear(2.0, -100.0)]
        setattr(dataset, keyword, [group])
        return dataset

    dataset = multi_frame()
    assert _rescaled(dataset) == (6.0, -200.0)
    item = dataset[keyword].value[0].PixelValueTransformationSequence[0]
    np.testing.assert_array_equal(apply_modality_lut(NEW, item), apply_modality_lut(OLD, _linear(2.0, -100.0)))
    assert "RescaleSlope" not in dataset and "RescaleIntercept" not in dataset
    untouched = multi_frame()
    assert _rescaled(untouched, (1.0, 0.0)) == (2.0, -100.0)
    assert untouched == multi_frame()


def test_real_world_values_stay_and_tables_of_old_values_go() -> None:
    linear, table, dataset = Dataset(), Dataset(), Dataset()
    linear.RealWorldValueSlope, linear.RealWorldValueIntercept = 0.5, 10.0
    for keyword, value in (("RealWorldValueFirstValueMapped", 40), ("RealWorldValueLastValueMapped", 5000)):
        linear[keyword] = DataElement(keyword, "US", value)
    table.RealWorldValueLUTData = [1.0, 2.0]
    dataset.RealWorldValueMappingSequence = [table, linear]
    group = Dataset()
    group.RealWorldValueMappingSequence = [table]
    dataset.SharedFunctionalGroupsSequence = [group]
    _rescaled(dataset)
    (kept,) = dataset.RealWorldValueMappingSequence
    new = kept.RealWorldValueSlope * NEW + kept.RealWorldValueIntercept
    np.testing.assert_allclose(new, 0.5 * OLD + 10.0)
    # 40 is the old value of 30; 5000 lies beyond what eight bits hold.
    assert (kept.RealWorldValueFirstValueMapped, kept.RealWorldValueLastValueMapped) == (30, 255)
    assert "RealWorldValueMappingSequence" not in group


@pytest.mark.parametrize(
    ("sop_class", "attributes", "unit"),
    [
        (CT_IMAGE, {"RescaleSlope": "1"}, "HU"),
        (CT_IMAGE, {}, None),
        (CT_IMAGE, {"RescaleSlope": "1", "RescaleType": "US"}, "US"),
        (SECONDARY_CAPTURE, {"RescaleSlope": "1"}, None),
    ],
)
def test_only_a_ct_image_that_leaves_its_unit_unsaid_is_in_hounsfield_units(
    sop_class: str, attributes: dict[str, str], unit: str | None
) -> None:
    dataset = Dataset()
    dataset.SOPClassUID = sop_class
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    name_unit(dataset)
    assert dataset.get("RescaleType") == unit


def test_a_rescale_that_is_no_number_is_refused() -> None:
    dataset = Dataset()
    dataset["RescaleSlope"] = DataElement("RescaleSlope", "FD", float("nan"))
    with pytest.raises(ValueError, match="RescaleSlope is nan"):
        _rescaled(dataset)


def test_padding_goes_and_words_turn_around() -> None:
    dataset = Dataset()
    dataset["PixelPaddingValue"] = DataElement("PixelPaddingValue", "US", 1)
    dataset["PixelPaddingRangeLimit"] = DataElement("PixelPaddingRangeLimit", "US", 2)
    dataset["RedPaletteColorLookupTableData"] = DataElement("RedPaletteColorLookupTableData", "OW", b"\1\2\3\4")
    drop_padding(dataset)
    swap_bytes(dataset)
    assert [element.keyword for element in dataset] == ["RedPaletteColorLookupTableData"]
    assert dataset.RedPaletteColorLookupTableData == b"\2\1\4\3"
