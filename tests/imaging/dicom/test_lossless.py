"""Restored objects coded without loss: smaller, and equal to the bit."""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_frames
from pydicom.uid import UID

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import read_image
from medsr_jax.imaging.dicom import lossless
from medsr_jax.imaging.dicom.lossless import SYNTAXES, code_losslessly, syntax_of
from medsr_jax.restoration import Restorer, write_restored
from medsr_jax.transmission.packet_io import read_packet, write_packet
from medsr_jax.transmission.sender import compress
from tests.imaging.dicom.objects import VALIDATOR, image_object, saved, validator_errors
from tests.transmission.images import BUNDLED

NAMES = ["CT_small.dcm", "MR_small.dcm", "MR_small_padded.dcm", "JPEG2000.dcm", "SC_rgb_rle_2frame.dcm", "693_J2KI.dcm"]


@pytest.mark.parametrize("name", NAMES)
def test_a_restored_object_is_the_same_in_each_transfer_syntax(name: Any, tmp_path: pathlib.Path) -> None:
    write_packet(tmp_path / "sent.dcm", compress(read_image(BUNDLED / name), quality=60))
    packet = read_packet(tmp_path / "sent.dcm")
    restored = Restorer("bicubic")(packet)
    objects = {}
    for syntax, uid in SYNTAXES.items():
        write_restored(tmp_path / f"{syntax}.dcm", packet, restored, transfer_syntax=syntax)
        objects[syntax] = pydicom.dcmread(tmp_path / f"{syntax}.dcm")
        assert objects[syntax].file_meta.TransferSyntaxUID == uid
        image = read_image(tmp_path / f"{syntax}.dcm")
        np.testing.assert_array_equal(image.pixels, restored.pixels)
        assert not any("differ" in note or "stream" in note for note in image.notes), image.notes
    for syntax in ("jpeg-ls", "jpeg2000"):
        assert (tmp_path / f"{syntax}.dcm").stat().st_size < (tmp_path / "explicit.dcm").stat().st_size
        for element in objects["explicit"]:
            if element.keyword != "PixelData":
                assert objects[syntax][element.tag] == element
        assert objects[syntax]["PixelData"].VR == "OB"
        assert len(list(generate_frames(objects[syntax].PixelData))) == packet.header.frames
        if VALIDATOR is not None:
            assert validator_errors(tmp_path / f"{syntax}.dcm") <= validator_errors(tmp_path / "explicit.dcm")
    # Another program's decoder, Pillow's, by way of pydicom, which has none of its own for JPEG-LS.
    np.testing.assert_array_equal(objects["jpeg2000"].pixel_array, objects["explicit"].pixel_array)


@pytest.mark.parametrize("bits", [1, 8, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("syntax", ["jpeg-ls", "jpeg2000"])
def test_all_values_of_a_type_come_back(bits: int, signed: bool, syntax: str, tmp_path: pathlib.Path) -> None:
    low = -(1 << (bits - 1)) if signed else 0
    kind = f"{'' if signed else 'u'}int{8 if bits <= 8 else 16}"
    values = (np.arange(64 * 64).reshape(1, 64, 64) * 37 % (1 << bits) + low).astype(kind)
    dataset = image_object(values[0], bits_stored=bits)
    dataset.PixelRepresentation = int(signed)
    code_losslessly(dataset, values, SYNTAXES[syntax])
    np.testing.assert_array_equal(read_image(saved(dataset, tmp_path / "a.dcm")).pixels, values)


@pytest.mark.parametrize("name", SYNTAXES)
def test_a_syntax_has_a_name_a_keyword_and_a_uid(name: Any) -> None:
    uid = UID(SYNTAXES[name])
    assert syntax_of(name.upper()) == syntax_of(uid.keyword) == syntax_of(uid) == uid


def test_what_cannot_be_coded_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MedsrError, match="one of explicit, jpeg-ls, jpeg2000, its keyword or UID, not zip"):
        syntax_of("zip")
    monkeypatch.setattr(lossless, "_takes_bits", lambda encode: False)
    monkeypatch.setitem(sys.modules, "jpeg_ls", None)
    deep = np.zeros((1, 9, 9), np.uint16)
    with pytest.raises(MedsrError, match="of 12 bits needs pyjpegls.*'medsr-jax.restore.', or take jpeg2000"):
        code_losslessly(image_object(deep[0], bits_stored=12), deep, SYNTAXES["jpeg-ls"])
    dataset = image_object(np.zeros((8, 8), np.uint32), bits_stored=32)
    with pytest.raises(MedsrError, match="values of 32 bits can't be coded in JPEG-LS"):
        code_losslessly(dataset, np.zeros((1, 8, 8), np.uint32), SYNTAXES["jpeg-ls"])
