"""DICOM in thin packets: the object that a standard packet restores to, in a third of the bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import pathlib
import zlib

import numpy as np
import pydicom
import pytest
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from medsr_jax.imaging.dicom.differences import differing
from medsr_jax.restoration import Restored
from medsr_jax.restoration.output import write_restored
from medsr_jax.transmission.conversion import to_standard, to_thin
from medsr_jax.transmission.original_form import deflated
from medsr_jax.transmission.packet import Packet
from medsr_jax.transmission.packet_io import packet_bytes, parse_packet
from medsr_jax.transmission.sender import compress
from medsr_jax.transmission.thin import attributes
from medsr_jax.transmission.thin.file import read_thin
from tests.imaging.dicom.objects import enhanced_mr, saved
from tests.transmission.images import bundled, made

PAGE = (pathlib.Path(__file__).parents[3] / "docs" / "packet-format.md").read_text()
KEY = b"a key of 16 bytes"


def restored(packet: Packet, pixels: object, path: pathlib.Path) -> Dataset:
    write_restored(path, packet, Restored(pixels, None, notes=packet.header.notes, model="test", identity="test"))  # type: ignore[arg-type]
    return pydicom.dcmread(path)


@pytest.mark.parametrize("headers", ["all", "minimal"])
@pytest.mark.parametrize("codec", ["jpeg", "jpeg2000"])
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm", "SC_rgb_small_odd.dcm"])
def test_a_thin_packet_restores_to_the_object_of_the_standard_one(
    name: str, codec: str, headers: str, tmp_path: pathlib.Path
) -> None:
    image = bundled(name)
    sent = compress(image, codec=codec, quality=60, headers=headers)
    standard, thin = parse_packet(packet_bytes(sent)), parse_packet(packet_bytes(to_thin(sent)))
    assert (thin.header, thin.streams, thin.sha256) == (standard.header, standard.streams, standard.sha256)
    for one, other in ((thin.dataset, standard.dataset), (thin.sent, standard.sent)):
        assert one is not None and other is not None
        assert differing(one, other) == []
    objects = [restored(packet, image.pixels, tmp_path / f"{packet.container}.dcm") for packet in (thin, standard)]
    assert differing(*objects) == []
    assert objects[0].SOPInstanceUID == objects[1].SOPInstanceUID
    assert len(packet_bytes(to_thin(sent))) < 0.55 * len(packet_bytes(sent))


def test_a_slice_of_512x512_with_its_attributes_travels_in_2500_bytes() -> None:
    image = bundled("693_J2KI.dcm")
    packet = compress(image, scale=2, max_bytes=2500)
    assert (packet.container, packet.header.codec) == ("thin", "vvc")
    data = packet_bytes(packet)
    assert len(data) <= 2500
    assert len(attributes.attribute_bytes(packet)) < 600
    received = parse_packet(data)
    assert received.dataset is not None and image.dataset is not None
    assert received.dataset.StudyInstanceUID == image.dataset.StudyInstanceUID
    assert received.sent is not None
    assert received.sent.LossyImageCompressionMethod == "ISO_23090_3"


def test_av1_and_several_frames_restore_to_dicom(tmp_path: pathlib.Path) -> None:
    frames = [made(60, 50, seed=seed, dtype="uint16").pixels for seed in range(3)]
    source = read_image(saved(enhanced_mr(np.concatenate(frames)), tmp_path / "a.dcm"))
    packet = parse_packet(packet_bytes(compress(source, codec="avif", quality=50, container="thin"), key=KEY), key=KEY)
    assert len(packet.streams) == 3
    result = restored(packet, source.pixels, tmp_path / "back.dcm")
    assert result.NumberOfFrames == 3
    assert result.LossyImageCompressionMethod == "AOM_AV1"
    with pytest.raises(MedsrError, match="can't be sent as avif: DICOM has no transfer syntax"):
        packet_bytes(to_standard(packet))


def test_a_standard_packet_that_an_archive_coerced_becomes_thin_without_loss() -> None:
    dataset = pydicom.dcmread(io.BytesIO(packet_bytes(compress(bundled("CT_small.dcm"), quality=60))))
    dataset.PatientName = "Other^Name"
    target = io.BytesIO()
    dataset.save_as(target)
    coerced = parse_packet(target.getvalue())
    thin = parse_packet(packet_bytes(to_thin(coerced)))
    assert any("PatientName" in note for note in thin.header.notes)
    for one, other in ((thin.dataset, coerced.dataset), (thin.sent, coerced.sent)):
        assert one is not None and other is not None
        assert differing(one, other) == []


def test_the_history_states_the_senders_version(monkeypatch: pytest.MonkeyPatch) -> None:
    packet = compress(bundled("MR_small.dcm"), quality=60)
    monkeypatch.setattr(attributes, "__version__", "0.0.9")
    data = packet_bytes(to_thin(packet))
    monkeypatch.undo()
    received = parse_packet(data)
    assert received.sent is not None
    assert received.sent.ContributingEquipmentSequence[-1].SoftwareVersions == "0.0.9"
    assert packet_bytes(to_thin(received)) == data
    # A history that is no longer what this version derives travels as it is.
    received.sent.ImageComments = "seen by hand"
    again = parse_packet(packet_bytes(to_thin(received)))
    assert again.sent is not None
    assert differing(again.sent, received.sent) == []


def with_dataset(item: Dataset, *, number: int = 1) -> Packet:
    """A packet whose attributes are a data set of anybody's making."""
    packet = to_thin(compress(bundled("MR_small.dcm"), quality=60))
    dictionary = attributes.dictionary_file(1).read_bytes()
    return attributes.with_attributes(packet, bytes([number]) + deflated(item, dictionary=dictionary))


@pytest.mark.parametrize("tag", [0x7FE00010, 0x00020010, 0x6D730010, 0x6D731001])
def test_elements_that_no_sender_puts_there_are_refused(tag: int) -> None:
    item = Dataset()
    item.PatientName = "A^B"
    element = DataElement(Tag(tag), "OB", b"\0\0")
    item[element.tag] = element
    with pytest.raises(MedsrError, match="damaged"):
        with_dataset(item)


def test_damaged_attributes_are_refused_in_one_line() -> None:
    history = Dataset()
    history[0x6D731008] = DataElement(Tag(0x6D731008), "UT", "none")
    with pytest.raises(MedsrError, match="history is no sequence"):
        with_dataset(history)
    with pytest.raises(MedsrError, match="need a later version"):
        with_dataset(Dataset(), number=2)
    packet = to_thin(compress(bundled("MR_small.dcm"), quality=60))
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    large = bomb.compress(bytes(1 << 26)) + bomb.compress(b"more") + bomb.flush()
    for data in (b"", b"\1", b"\1\xff\xff", b"\1" + large):
        with pytest.raises(MedsrError) as refusal:
            attributes.with_attributes(packet, data)
        assert "\n" not in str(refusal.value)


def test_attributes_and_the_kind_of_file_belong_together() -> None:
    packet = to_thin(compress(bundled("MR_small.dcm"), quality=60))
    plain = dataclasses.replace(packet, dataset=None)
    other = dataclasses.replace(packet, header=dataclasses.replace(packet.header, kind="png"))
    for wrong in (plain, other):
        with pytest.raises(MedsrError, match="attributes"):
            read_thin(packet_bytes(wrong))


def test_the_dictionary_is_that_of_the_page() -> None:
    data = attributes.dictionary_file(attributes.DICTIONARY).read_bytes()
    assert f"| 1 | `attributes-1.bin` | {len(data):,} | `{hashlib.sha256(data).hexdigest()}` |" in PAGE
