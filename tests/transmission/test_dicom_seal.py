"""No damaged or forged DICOM packet is taken for a whole one, and what archives lawfully do is told and accepted."""

from __future__ import annotations

import io
import logging
import pathlib
from collections.abc import Callable

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.dicom.differences import differing
from medsr_jax.transmission import original_form
from medsr_jax.transmission.packet import Packet
from medsr_jax.transmission.packet_io import packet_bytes, read_packet
from medsr_jax.transmission.sender import compress
from tests.transmission.images import bundled, made

BLOCK = 0x6D731000


@pytest.fixture(scope="module")
def ct() -> bytes:
    return packet_bytes(compress(bundled("CT_small.dcm")))


def read(data: bytes, folder: pathlib.Path, **options: object) -> Packet:
    (folder / "sent.dcm").write_bytes(data)
    return read_packet(folder / "sent.dcm", **options)  # type: ignore[arg-type]


def rewritten(data: bytes, change: Callable[[Dataset], object]) -> bytes:
    """The file as an archive writes it again after a change."""
    dataset = pydicom.dcmread(io.BytesIO(data))
    change(dataset)
    target = io.BytesIO()
    pydicom.dcmwrite(target, dataset, enforce_file_format=True)
    return target.getvalue()


def test_no_flipped_bit_changes_an_attribute(ct: bytes, tmp_path: pathlib.Path) -> None:
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    whole = read(ct, tmp_path)
    accepted = 0
    for bit in np.random.default_rng(0).integers(0, 8 * len(ct), 400).tolist():
        damaged = bytearray(ct)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            packet = read(bytes(damaged), tmp_path)
        except MedsrError as refusal:
            assert "\n" not in str(refusal)
            continue
        accepted += 1
        assert packet.dataset is not None and whole.dataset is not None
        assert (packet.streams, packet.header) == (whole.streams, whole.header)
        assert differing(packet.dataset, whole.dataset) == []
    assert accepted < 40  # preamble, file meta information, and lengths that readers do without


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("RescaleSlope", "0.03"),
        ("RescaleIntercept", "-1000"),
        ("PixelSpacing", ["1", "1"]),
        ("Laterality", "R"),
        ("SliceThickness", "7"),
        ("SOPInstanceUID", "1.2.3"),
        ("ImageComments", "normal"),
    ],
)
def test_what_describes_the_image_may_not_change(
    ct: bytes, tmp_path: pathlib.Path, keyword: str, value: object
) -> None:
    with pytest.raises(MedsrError, match="its seal doesn't match"):
        read(rewritten(ct, lambda ds: setattr(ds, keyword, value)), tmp_path)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("PatientName", "Other^Name"),
        ("PatientID", "0815"),
        ("AccessionNumber", "A-77"),
        ("StudyInstanceUID", "1.2.3.4"),
    ],
)
def test_what_an_archive_coerces_is_accepted_and_said(
    ct: bytes, tmp_path: pathlib.Path, keyword: str, value: str
) -> None:
    packet = read(rewritten(ct, lambda ds: setattr(ds, keyword, value)), tmp_path)
    assert packet.dataset is not None
    assert packet.dataset[keyword].value == value
    assert packet.header.notes == (f"{keyword} was changed on the way",)


def test_a_coerced_value_that_is_one_or_two_bits_from_the_sealed_one_is_damage(
    ct: bytes, tmp_path: pathlib.Path
) -> None:
    for name in (b"CompressedSamplds^CT1", b"CompressedSampler^CT1"):
        with pytest.raises(MedsrError, match=r"PatientName doesn't match its seal"):
            read(ct.replace(b"CompressedSamples^CT1", name, 1), tmp_path)


def test_an_archive_may_note_what_it_coerced(ct: bytes, tmp_path: pathlib.Path) -> None:
    def coerce(ds: Dataset) -> None:
        item, original = Dataset(), Dataset()
        original.PatientID = ds.PatientID
        item.ModifiedAttributesSequence, item.ReasonForTheAttributeModification = [original], "COERCE"
        ds.OriginalAttributesSequence, ds.PatientID = [item], "new"

    notes = read(rewritten(ct, coerce), tmp_path).header.notes
    assert set(notes) == {"PatientID was changed on the way", "OriginalAttributesSequence was added on the way"}


def test_another_way_of_writing_the_same_is_the_same(ct: bytes, tmp_path: pathlib.Path) -> None:
    def rewrite(ds: Dataset) -> None:
        for element in ds:
            if element.VR == "SQ":
                element.is_undefined_length = not element.is_undefined_length
        for tag in [tag for tag in ds.keys() if tag.is_private and tag.element > 0xFF]:  # noqa: SIM118
            raw = pydicom.dcmread(io.BytesIO(ct)).get_item(tag)
            ds[tag] = DataElement(tag, "UN", raw.value)

    packet = read(rewritten(ct, rewrite), tmp_path)
    assert packet.header.notes == ("private elements came back with VR UN",)
    assert packet.streams == read(ct, tmp_path).streams


def test_text_in_another_character_set_is_the_same_text(tmp_path: pathlib.Path) -> None:
    image = bundled("CT_small.dcm")
    assert image.dataset is not None
    image.dataset.SpecificCharacterSet, image.dataset.InstitutionalDepartmentName = "ISO_IR 100", "Universitätsklinik"

    def recode(ds: Dataset) -> None:
        ds.decode()
        ds.SpecificCharacterSet = "ISO_IR 192"

    packet = read(rewritten(packet_bytes(compress(image)), recode), tmp_path)
    assert packet.header.notes == ("SpecificCharacterSet was changed on the way",)
    assert packet.dataset is not None
    assert packet.dataset.InstitutionalDepartmentName == "Universitätsklinik"


def forged(packet: Packet, monkeypatch: pytest.MonkeyPatch, change: Callable[[Dataset], None]) -> bytes:
    """A packet whose form was changed by somebody who can compute seals."""
    real = original_form.deflated

    def deflated(item: Dataset) -> bytes:
        change(item)
        return real(item)

    monkeypatch.setattr(original_form, "deflated", deflated)
    return packet_bytes(packet)


@pytest.mark.parametrize("way", ["set", "remove"])
def test_no_packet_shows_one_patient_and_restores_as_another(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    def change(item: Dataset) -> None:
        if way == "set":
            item.PatientID = "another"
        else:
            item[0x6D731004] = DataElement(0x6D731004, "AT", [Tag("RescaleType"), Tag("Laterality")])

    data = forged(compress(bundled("CT_small.dcm")), monkeypatch, change)
    name = "PatientID" if way == "set" else "Laterality"
    with pytest.raises(MedsrError, match=f"would change {name} on restoring"):
        read(data, tmp_path)


@pytest.mark.parametrize("offset", [1, 3, 5, 6])
def test_a_block_that_lacks_a_part_is_damaged(ct: bytes, tmp_path: pathlib.Path, offset: int) -> None:
    with pytest.raises(MedsrError, match=r"private block is missing|no packet"):
        read(rewritten(ct, lambda ds: ds.pop(Tag(BLOCK | offset))), tmp_path)


def test_a_stream_of_another_packet_is_refused(ct: bytes, tmp_path: pathlib.Path) -> None:
    other = compress(bundled("MR_small.dcm")).streams

    def exchange(ds: Dataset) -> None:
        ds.PixelData = encapsulate(list(other))

    with pytest.raises(MedsrError, match="checksum doesn't match"):
        read(rewritten(ct, exchange), tmp_path)


@pytest.mark.parametrize("kind", ["dicom", "png"])
def test_with_a_key_a_packet_proves_its_sender(tmp_path: pathlib.Path, kind: str) -> None:
    packet = compress(bundled("CT_small.dcm") if kind == "dicom" else made())
    plain, signed = packet_bytes(packet), packet_bytes(packet, key=b"secret")
    assert read(signed, tmp_path, key=b"secret").header.notes == packet.header.notes
    assert any("no key was given" in note for note in read(signed, tmp_path).header.notes)
    with pytest.raises(MedsrError, match="not signed"):
        read(plain, tmp_path, key=b"secret")
    with pytest.raises(MedsrError, match="doesn't match the key"):
        read(signed, tmp_path, key=b"other")


def test_packets_of_the_unsealed_format_are_refused(ct: bytes, tmp_path: pathlib.Path) -> None:
    def older(ds: Dataset) -> None:
        ds[BLOCK | 1].value = ds[BLOCK | 1].value.replace("medsr2", "medsr1")

    with pytest.raises(MedsrError, match="format 1, whose attributes are not sealed"):
        read(rewritten(ct, older), tmp_path)


@pytest.mark.parametrize("limit", [128 * 128 - 1, 128 * 128])
def test_one_limit_of_pixels_holds_at_the_receiver_too(ct: bytes, tmp_path: pathlib.Path, limit: int) -> None:
    if limit == 128 * 128:
        assert read(ct, tmp_path, max_pixels=limit)
        return
    with pytest.raises(MedsrError, match="stands for 128x128 pixels, more than"):
        read(ct, tmp_path, max_pixels=limit)
