from __future__ import annotations

import io
import pathlib

import numpy as np
import pydicom
import pytest
from pydicom.tag import Tag

from medsr_jax.errors import MedsrError
from medsr_jax.imaging.dicom.derive import STALE
from medsr_jax.imaging.dicom.differences import COLOUR_ELEMENTS, differing
from medsr_jax.imaging.reading import read_image
from medsr_jax.transmission.packet_io import is_packet, packet_bytes, read_packet, write_packet
from medsr_jax.transmission.sender import compress
from tests.transmission.images import BUNDLED, bundled

NAMES = sorted(path.name for path in BUNDLED.glob("*.dcm"))


@pytest.mark.parametrize("name", NAMES)
def test_every_bundled_file_travels_or_is_refused_with_a_reason(tmp_path: pathlib.Path, name: str) -> None:
    path = tmp_path / "sent.dcm"
    refusal = None
    try:
        image = read_image(BUNDLED / name)
        packet = compress(image, quality=60)
    except MedsrError as error:
        refusal = str(error)
    if refusal is not None:
        assert name in refusal
        assert "\n" not in refusal
        return
    write_packet(path, packet)
    again = read_packet(path)
    assert again.header == packet.header
    assert again.streams == packet.streams
    assert again.decode().shape == (len(image.pixels), *packet.header.small_shape)
    assert image.dataset is not None
    assert again.dataset is not None
    # The data set is the original's again, but for what spoke of its pixels or storage alone.
    left_out = {Tag(keyword) for keyword in (*STALE, *COLOUR_ELEMENTS)}
    different = {path[0] for path in differing(image.dataset, again.dataset)} - left_out
    assert not {tag for tag in different if tag.element}


@pytest.mark.parametrize(
    ("codec", "syntax", "method"), [("jpeg", ".50", "ISO_10918_1"), ("jpeg2000", ".91", "ISO_15444_1")]
)
def test_the_object_is_honest_and_complete(codec: str, syntax: str, method: str) -> None:
    image = bundled("CT_small.dcm")
    packet = compress(image, codec=codec)
    sent = pydicom.dcmread(io.BytesIO(packet_bytes(packet)))
    source = image.dataset
    assert source is not None
    assert sent.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4" + syntax
    assert sent.LossyImageCompression == "01"
    assert sent.LossyImageCompressionMethod == method
    assert float(sent.LossyImageCompressionRatio) == pytest.approx(packet.ratio(), rel=0.01)
    assert sent.ImageType[0] == "DERIVED"
    assert sent.SOPInstanceUID != source.SOPInstanceUID
    assert sent.StudyInstanceUID == source.StudyInstanceUID
    assert sent.SourceImageSequence[0].ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert "not for primary diagnosis" in sent.DerivationDescription
    assert (sent.Rows, sent.Columns) == (32, 32)
    np.testing.assert_allclose([float(value) for value in sent.PixelSpacing], np.multiply(source.PixelSpacing, 4))
    block = sent.private_block(0x6D73, "MEDSR_JAX")
    assert block[0x01].value.startswith("medsr2 128x128 i16")


@pytest.mark.parametrize("codec", ["jpeg", "jpeg2000"])
def test_a_viewer_sees_the_values_of_the_original(codec: str) -> None:
    image = bundled("CT_small.dcm")
    sent = pydicom.dcmread(io.BytesIO(packet_bytes(compress(image, codec=codec, quality=97))))
    shown = sent.pixel_array * float(sent.RescaleSlope) + float(sent.RescaleIntercept)
    source = image.dataset
    assert source is not None
    truth = image.pixels[0] * float(source.RescaleSlope) + float(source.RescaleIntercept)
    truth = truth.reshape(32, 4, 32, 4).mean((1, 3))
    assert np.abs(shown - truth).mean() < 0.01 * np.ptp(truth)


def test_several_frames_are_a_stream_each(tmp_path: pathlib.Path) -> None:
    packet = compress(bundled("examples_ybr_color.dcm"))
    write_packet(tmp_path / "sent.dcm", packet)
    again = read_packet(tmp_path / "sent.dcm")
    assert len(again.streams) == again.header.frames == 30
    assert again.header.notes == packet.header.notes != ()


def test_avif_is_refused_for_dicom_with_the_reason() -> None:
    with pytest.raises(
        MedsrError, match="avif: DICOM has no transfer syntax for it; choose jpeg or jpeg2000, or thin packets$"
    ):
        compress(bundled("CT_small.dcm"), codec="avif")


def test_damaged_and_foreign_objects_are_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "sent.dcm"
    with pytest.raises(MedsrError, match="no packet"):
        read_packet(BUNDLED / "CT_small.dcm")
    assert not is_packet(BUNDLED / "CT_small.dcm")
    data = packet_bytes(compress(bundled("CT_small.dcm")))
    path.write_bytes(data)
    assert is_packet(path)
    for length in (200, len(data) // 2, len(data) - 20):
        path.write_bytes(data[:length])
        with pytest.raises(MedsrError):
            read_packet(path)
    at = data.index(b"medsr2")
    path.write_bytes(data[:at] + b"medsr7" + data[at + 6 :])
    with pytest.raises(MedsrError, match="update"):
        read_packet(path)


def test_transcoding_on_the_way_is_told_apart_from_damage(tmp_path: pathlib.Path) -> None:
    sent = pydicom.dcmread(io.BytesIO(packet_bytes(compress(bundled("CT_small.dcm")))))
    sent.decompress()
    sent.save_as(tmp_path / "sent.dcm", enforce_file_format=True)
    with pytest.raises(MedsrError, match="transcoded"):
        read_packet(tmp_path / "sent.dcm")
