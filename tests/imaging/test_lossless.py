"""Restored objects coded without loss: smaller, and equal to the bit."""

import numpy as np
import pydicom
import pytest

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from medsr_jax.imaging.lossless import SYNTAXES, code_losslessly, jpeg_ls_takes_bits, syntax_of
from medsr_jax.restoration import Restorer, write_restored
from medsr_jax.transmission.compress import compress
from medsr_jax.transmission.packet_io import read_packet, write_packet
from tests.imaging.dicom_objects import image_object, saved
from tests.transmission.images import BUNDLED

NAMES = ["CT_small.dcm", "MR_small.dcm", "MR_small_padded.dcm", "JPEG2000.dcm", "SC_rgb_rle_2frame.dcm", "693_J2KI.dcm"]


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_object_is_the_same_in_each_transfer_syntax(name, tmp_path):
    write_packet(tmp_path / "sent.dcm", compress(read_image(BUNDLED / name), quality=60))
    packet = read_packet(tmp_path / "sent.dcm")
    restored = Restorer("bicubic")(packet)
    objects = {}
    syntaxes = {name: uid for name, uid in SYNTAXES.items() if name != "jpeg-ls" or _jpeg_ls(packet)}
    for syntax, uid in syntaxes.items():
        write_restored(tmp_path / f"{syntax}.dcm", packet, restored, transfer_syntax=syntax)
        objects[syntax] = pydicom.dcmread(tmp_path / f"{syntax}.dcm")
        assert objects[syntax].file_meta.TransferSyntaxUID == uid
        image = read_image(tmp_path / f"{syntax}.dcm")
        np.testing.assert_array_equal(image.pixels, restored.pixels)
        assert not any("differ" in note or "stream" in note for note in image.notes), image.notes
    for syntax in syntaxes.keys() - {"explicit"}:
        assert (tmp_path / f"{syntax}.dcm").stat().st_size < (tmp_path / "explicit.dcm").stat().st_size
        for element in objects["explicit"]:
            if element.keyword != "PixelData":
                assert objects[syntax][element.tag] == element


def _jpeg_ls(packet):
    """Whether the installed encoder takes the packet's bits."""
    low, high = packet.header.value_range
    return int(high - low).bit_length() in (8, 16) or jpeg_ls_takes_bits()


@pytest.mark.parametrize("bits", [1, 8, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", ["jpeg-ls", "jpeg2000"])
def test_all_values_of_a_type_come_back(bits, signed, syntax, tmp_path):
    low = -(1 << (bits - 1)) if signed else 0
    kind = f"{'' if signed else 'u'}int{8 if bits <= 8 else 16}"
    values = (np.arange(64 * 64).reshape(1, 64, 64) * 37 % (1 << bits) + low).astype(kind)
    dataset = image_object(values[0], bits_stored=bits)
    dataset.PixelRepresentation = int(signed)
    if syntax == "jpeg-ls" and bits not in (8, 16) and not jpeg_ls_takes_bits():
        with pytest.raises(MedsrError, match="take jpeg2000"):
            code_losslessly(dataset, values, SYNTAXES[syntax])
        return
    code_losslessly(dataset, values, SYNTAXES[syntax])
    np.testing.assert_array_equal(read_image(saved(dataset, tmp_path / "a.dcm")).pixels, values)


def test_what_cannot_be_coded_is_refused(tmp_path, radiograph):
    with pytest.raises(MedsrError, match="one of explicit, jpeg-ls, jpeg2000 or its UID, not zip"):
        syntax_of("zip")
    dataset = image_object(np.zeros((8, 8), np.uint32), bits_stored=32)
    with pytest.raises(MedsrError, match="values of 32 bits can't be coded in JPEG-LS"):
        code_losslessly(dataset, np.zeros((1, 8, 8), np.uint32), SYNTAXES["jpeg-ls"])
