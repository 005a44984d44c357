"""Minimal headers: what restoring and routing need travels, and no private elements."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pydicom
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from medsr_jax.restoration import Restorer, write_restored
from medsr_jax.transmission.headers import MODULES, LeftOut, minimal
from medsr_jax.transmission.packet_io import packet_bytes, read_packet, write_packet
from medsr_jax.transmission.sender import compress
from tests.imaging.dicom.objects import enhanced_mr, saved
from tests.transmission.images import BUNDLED, bundled
from tests.transmission.test_true_to_the_object import KNOWN, VALIDATOR, validator_errors

NAMES = ["CT_small.dcm", "MR_small.dcm", "JPEG2000.dcm"]


@pytest.mark.parametrize("name", NAMES)
def test_a_minimal_packet_restores_to_an_object_as_valid_as_a_whole_one(name: Any, tmp_path: pathlib.Path) -> None:
    image = bundled(name)
    objects, errors = {}, {}
    for headers in ("all", "minimal"):
        write_packet(tmp_path / "sent.dcm", compress(image, scale=4, quality=60, headers=headers))
        packet = read_packet(tmp_path / "sent.dcm")
        write_restored(tmp_path / f"{headers}.dcm", packet, Restorer("bicubic")(packet))
        objects[headers] = pydicom.dcmread(tmp_path / f"{headers}.dcm")
        errors[headers] = validator_errors(tmp_path / f"{headers}.dcm") if VALIDATOR else set()
    added = errors["minimal"] - errors["all"]
    assert {error for error in added if not any(known in error for known in KNOWN)} == set()
    whole, small = objects["all"], objects["minimal"]
    assert (small.pixel_array == whole.pixel_array).all()
    assert not any(element.tag.is_private for element in small.iterall())
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "SOPClassUID", "Modality", "RescaleSlope"):
        assert small.get(keyword) == whole.get(keyword)
    for element in small:
        if element.keyword not in ("DerivationDescription", "SOPInstanceUID", "SeriesInstanceUID", "PixelData"):
            assert element == whole[element.tag] or element.VR == "SQ"


def test_private_elements_go_first_and_both_ends_say_so(tmp_path: pathlib.Path) -> None:
    image = bundled("CT_small.dcm")
    whole, small = (
        packet_bytes(compress(image, scale=4, quality=60, headers=headers)) for headers in ("all", "minimal")
    )
    assert len(small) < 0.5 * len(whole)
    (tmp_path / "sent.dcm").write_bytes(small)
    packet = read_packet(tmp_path / "sent.dcm")
    (note,) = [note for note in packet.header.notes if note.startswith("headers minimal: ")]
    assert note == "headers minimal: 179 private elements (4,484 bytes) and 9 others (210 bytes) do not travel"
    write_restored(tmp_path / "back.dcm", packet, Restorer("bicubic")(packet))
    assert note in pydicom.dcmread(tmp_path / "back.dcm").DerivationDescription
    _, left_out = minimal(image.dataset)
    assert "PatientWeight" in left_out.standard
    assert "(0043,1029)" in left_out.private
    assert "0043,1029" not in str(packet.dataset)


def test_private_elements_inside_sequences_go_too_and_the_original_stays(tmp_path: pathlib.Path) -> None:
    dataset = enhanced_mr(np.arange(2 * 32 * 32, dtype=np.uint16).reshape(2, 32, 32))
    block = dataset.SharedFunctionalGroupsSequence[0].private_block(0x2005, "VENDOR", create=True)
    block.add_new(0x01, "OB", b"x" * 5000)
    image = read_image(saved(dataset, tmp_path / "mr.dcm"))
    kept, left_out = minimal(image.dataset)
    where = "SharedFunctionalGroupsSequence[1]."
    assert left_out.private == (f"{where}(2005,0010)", f"{where}(2005,1001)")
    assert left_out.private_bytes > 5000
    assert not any(element.tag.is_private for element in kept.iterall())
    assert any(element.tag.is_private for element in image.dataset.iterall())


def test_what_has_little_to_drop_travels_whole() -> None:
    dataset = read_image(BUNDLED / "JPEG2000.dcm").dataset
    kept, _ = minimal(dataset)
    kept.PatientWeight = "70"
    again, left_out = minimal(kept)
    assert again is kept
    assert left_out == LeftOut()
    assert left_out.note == ""


def test_objects_of_classes_that_are_not_listed_lose_private_elements_alone() -> None:
    dataset = read_image(BUNDLED / "CT_small.dcm").dataset
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.481.1"  # RT Image
    kept, left_out = minimal(dataset)
    assert left_out.standard == ()
    assert len(left_out.private) == 179
    assert kept.PatientWeight == dataset.PatientWeight


def test_other_choices_are_refused() -> None:
    with pytest.raises(MedsrError, match="headers: must be one of all, minimal, not none"):
        compress(bundled("CT_small.dcm"), headers="none")


def test_the_list_has_keywords_of_the_standard_alone() -> None:
    from pydicom.datadict import tag_for_keyword

    for keywords in MODULES.values():
        assert [keyword for keyword in keywords if tag_for_keyword(keyword) is None] == []
