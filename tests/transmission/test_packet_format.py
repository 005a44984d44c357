"""docs/packet-format.md: its vectors, as the receiver reads them and as a second reader of the page alone does.

The second reader takes nothing from the package. Its image decoders are Pillow's and pydicom's its DICOM parser.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import io
import json
import pathlib
import re
import struct
import subprocess
import zlib
from collections.abc import Iterator
from typing import Any

import imageio_ffmpeg
import numpy as np
import pydicom
import pytest
from PIL import Image as Pillow
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames

from medsr_jax.errors import MedsrError
from medsr_jax.transmission.packet_io import parse_packet
from tests.transmission.packet_vectors import block, vectors
from tests.transmission.thin.page_reader import read_thin, rebuilt

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "packet-format.md").read_text()
VECTORS: dict[str, dict[str, Any]] = {
    name: json.loads(text) for name, text in re.findall(r"^### ([\w-]+)\n\n```json\n(.*?)```", PAGE, re.M | re.S)
}
PACKAGE = pathlib.Path(__file__).parents[2] / "medsr_jax"
# File meta information of a data set in explicit VR little endian: the transfer syntax alone.
EXPLICIT_META = b"\x02\0\x10\0UI\x14\x001.2.840.10008.1.2.1\0"
UUID = bytes.fromhex("88EC00F115DF56BF95648125" + "2065ADBF")
TYPES = {"u": "uint", "i": "int", "f": "float"}
TEXTS = {"SH", "LO", "ST", "PN", "LT", "UC", "UT"}
STRINGS = TEXTS | {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"}


def _file(vector: dict[str, Any]) -> bytes:
    return base64.b64decode("".join(vector["packet"]))


def _key(vector: dict[str, Any]) -> bytes | None:
    return bytes.fromhex(vector["key"]) if vector["key"] else None


def _base64url(data: bytes) -> str:
    return base64.b64encode(data, altchars=b"-_").decode().rstrip("=")


def _split(data: bytes) -> tuple[str, bytes, str]:
    """Line, code stream and codec of a file that holds one stream, by the page's section on where the line is."""
    if data[128:132] == b"DICM":
        dataset = pydicom.dcmread(io.BytesIO(data))
        line = dataset.private_block(0x6D73, "MEDSR_JAX")[0x01].value
        frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
        codec = {"50": "jpeg", "91": "jpeg2000"}[dataset.file_meta.TransferSyntaxUID.split(".")[-1]]
        return line, frame.removesuffix(b"\0") if frame.endswith(b"\xff\xd9\0") else frame, codec
    if data[4:8] == b"ftyp":
        at = 0
        while at < len(data):
            length = int.from_bytes(data[at : at + 4], "big")
            if data[at + 4 : at + 24] == b"uuid" + UUID:
                assert at + length == len(data)
                return data[at + 24 :].decode("ascii"), data[:at], "avif"
            at += length
        raise AssertionError("no box")
    if data.startswith(bytes.fromhex("000000010079")):
        at = data.index(bytes.fromhex("0000000100B905"))
        size, place = 0, at + 7
        while data[place] == 255:
            size, place = size + 255, place + 1
        size, place = size + data[place], place + 1
        assert data[place : place + 16] == UUID
        assert data[place + size] == 0x80
        return data[place + 16 : place + size].decode("ascii"), data[:at] + data[place + size + 1 :], "vvc"
    codec, comment, skip = ("jpeg", 0xFE, 4) if data[:2] == b"\xff\xd8" else ("jpeg2000", 0x64, 6)
    at = 2
    while data[at + 1] != comment:
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    assert codec == "jpeg" or data[at + 4 : at + 6] == b"\0\1"
    return data[at + skip : end].decode("ascii"), data[:at] + data[end:], codec


def _number(text: str) -> float:
    assert re.fullmatch(r"-?\d{1,40}(\.\d{1,40})?(e[+-]?\d{1,3})?", text), text
    return float(text)


def _numbers(text: str) -> list[float]:
    first, second = text.split(":")
    return [_number(first), _number(second)]


def _fields(header: str, codec: str) -> dict[str, Any]:
    """The fields of a header, word by word in the order of the grammar."""
    words = header.split(" ")

    def optional(pattern: str) -> str | None:
        return words.pop(0) if words and re.fullmatch(pattern, words[0]) else None

    fields: dict[str, Any] = {"codec": codec}
    fields["version"] = int(words.pop(0).removeprefix("medsr"))
    fields["rows"], fields["columns"] = map(int, words.pop(0).split("x"))
    kind, bits = re.fullmatch(r"([uif])(\d+)", words.pop(0)).groups()  # type: ignore[union-attr]
    fields["dtype"] = f"{TYPES[kind]}{bits}"
    span = 1 << int(bits)
    whole = {"u": [0, span - 1], "i": [-span // 2, span // 2 - 1]}.get(kind)
    value_range = optional(r"-?\d.*:.*")
    fields["value_range"] = _numbers(value_range) if value_range else whole
    window = optional("w.*")
    fields["low"], fields["high"] = _numbers(window[1:]) if window else fields["value_range"]
    fields["scale"] = int(words.pop(0).removeprefix("/"))
    fields["kernel"] = words.pop(0)
    fields["quality"] = int(words.pop(0).removeprefix("q"))
    fields["levels"] = 65535 if optional("16bit") else 255
    fields["frames"] = int((optional(r"n\d+") or "n1")[1:])
    fields["kind"] = optional("jpeg|tiff|dicom") or "png"
    fields["inverted"] = optional("inverted") is not None
    spacing = optional("mm.*")
    fields["spacing"] = _numbers(spacing[2:]) if spacing else None
    padding = optional("pad.*")
    if padding:
        fields["padding"] = _padding(padding, fields)
    fields["preprocess"] = (optional("pre=.*") or "pre=").removeprefix("pre=").replace("_", " ")
    assert not words
    return fields


def _padding(word: str, fields: dict[str, Any]) -> dict[str, Any]:
    ends, _, mask = word.removeprefix("pad").partition("/")
    interval, fill = ends.split("=")
    low, high = _numbers(interval)
    step, _, text = mask.partition(":")
    marks = _marks(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_"), int(step), fields)
    return {"low": low, "high": high, "fill": _number(fill), "step": int(step), **marks}


def _marks(mask: bytes, step: int, fields: dict[str, Any]) -> dict[str, Any]:
    """The count of padding pixels and the digest of the mask that vectors state."""
    shape = [fields["frames"], -(-fields["rows"] // step), -(-fields["columns"] // step)]
    marked = _mask(mask, shape).repeat(step, 1).repeat(step, 2)[:, : fields["rows"], : fields["columns"]]
    return {"pixels": int(marked.sum()), "mask_sha256": hashlib.sha256(np.packbits(marked).tobytes()).hexdigest()}


def _mask(deflated: bytes, shape: list[int]) -> np.ndarray:
    data = zlib.decompress(deflated, wbits=-15)
    count = len(data) // 4
    coded = (sum(data[plane * count + n] << 8 * plane for plane in range(4)) for n in range(count))
    numbers: Iterator[int] = (n // 2 if n % 2 == 0 else -(n + 1) // 2 for n in coded)
    frames, rows, columns = shape
    mask = np.zeros((frames * rows, columns), bool)
    above: list[int] = []
    for row in mask:
        differences = [next(numbers) for _ in range(next(numbers))]
        places = [n + (above[k] if k < len(above) else 0) for k, n in enumerate(differences)]
        for place in places:
            row[place:] ^= True
        above = places
    assert next(numbers, None) is None
    return mask.reshape(shape)


def _checksum(header: str, stream: bytes) -> str:
    return _base64url((zlib.crc32(header.encode() + stream) & 0xFFFFFFFF).to_bytes(4, "big"))


def _signature(header: str, stream: bytes, key: bytes) -> str:
    signed = header.encode() + len(stream).to_bytes(8, "big") + stream
    return _base64url(hmac.new(key, signed, hashlib.sha256).digest()[:16])


def _canonical(dataset: Dataset, left_out: set[int]) -> tuple[bytes, bytes]:
    """The two sequences of a data set's seal; its text is ASCII, and no private element came back as UN."""
    first, second = b"", b""
    for tag in sorted(dataset.keys()):
        if tag in left_out or not tag.element:
            continue
        raw = dataset.get_item(tag)
        vr = str(raw.VR)
        if tag.is_private:
            second += f"({tag.group:04X},{tag.element:04X}){vr};".encode()
        else:
            first += vr.encode()
        if vr == "SQ":
            first += struct.pack("<II", tag, 0xFFFFFFFF)
            for item in dataset[tag].value:
                inner = _canonical(item, set())
                first, second = first + b"item" + inner[0], second + inner[1]
            first += b"end"
        else:
            # pydicom parses PixelRepresentation (US) when it reads a file.
            value = struct.pack("<H", raw.value) if isinstance(raw.value, int) else bytes(raw.value or b"")
            if vr in STRINGS and not tag.is_private:
                value = value.rstrip(b" \0")
            first += struct.pack("<II", tag, len(value)) + value
    return first, second


def test_the_page_has_every_vector_and_its_sizes_match() -> None:
    assert list(VECTORS) == list(vectors())
    for vector in VECTORS.values():
        assert len(_file(vector)) < 3000


@pytest.mark.parametrize("name", VECTORS)
def test_the_receiver_reads_vectors_to_their_fields(name: str) -> None:
    vector = VECTORS[name]
    packet = parse_packet(_file(vector), key=_key(vector))
    fields = json.loads(json.dumps(dataclasses.asdict(packet.header), default=str))
    stated = dict(vector["fields"])
    padding = stated.pop("padding", None)
    assert {field: fields[field] for field in stated} == stated
    assert (packet.header.padding is None) == (padding is None)
    if padding and packet.header.padding:
        header = packet.header
        mask = packet.header.padding.pixels((header.frames, header.rows, header.columns))
        assert mask.sum() == padding["pixels"]
        assert hashlib.sha256(np.packbits(mask).tobytes()).hexdigest() == padding["mask_sha256"]
    stream = packet.code_streams[0] if vector["line"] is None else packet.streams[0]
    assert hashlib.sha256(stream).hexdigest() == vector["stream_sha256"]
    codes = packet.decode()[0, 0, :4]
    np.testing.assert_allclose(codes, vector["first_codes"], atol=1)


LINED = [name for name, vector in VECTORS.items() if vector["line"]]


@pytest.mark.parametrize("name", LINED)
def test_a_reader_of_the_page_alone_agrees(name: str) -> None:
    vector = VECTORS[name]
    line, stream, codec = _split(_file(vector))
    assert line == vector["line"]
    assert len(stream) == vector["stream_bytes"]
    assert hashlib.sha256(stream).hexdigest() == vector["stream_sha256"]
    header, _, seals = line.partition(" ~")
    checksum, _, signature = seals.partition("!")
    assert checksum == _checksum(header, stream)
    key = _key(vector)
    assert signature == (_signature(header, stream, key) if key else "")
    fields = _fields(header, codec)
    assert fields == vector["fields"]
    scale = fields["scale"]
    rows, columns = -(-fields["rows"] // scale), -(-fields["columns"] // scale)
    if codec == "vvc":
        luma = _luma(stream).reshape(rows, columns)
        np.testing.assert_allclose(luma[0, :4] * (65535 / 1023), vector["first_codes"], atol=65)
        return
    with Pillow.open(io.BytesIO(stream)) as picture:
        assert picture.size == (columns, rows)
        np.testing.assert_allclose(np.asarray(picture)[0, :4], vector["first_codes"], atol=1)


def _luma(stream: bytes) -> np.ndarray:
    """The samples of a VVC picture, by ffmpeg."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", "-f", "vvc", "-i", "-", "-f", "rawvideo", "-"]
    done = subprocess.run(command, input=stream, capture_output=True, check=True)
    samples = np.frombuffer(done.stdout, "<u2")
    return samples[: len(samples) * 2 // 3]


def test_the_seal_of_the_dicom_vector_is_that_of_the_page() -> None:
    dataset = pydicom.dcmread(io.BytesIO(_file(VECTORS["dicom"])))
    assert bytes(dataset.get_item((0x6D73, 0x0010)).value).strip() == b"MEDSR_JAX"
    start = 0x6D731000
    lists = re.findall(r"`(\w+)`", _section("dicom-conformance.md", "What may change on the way"))
    numbers = {int(pydicom.datadict.tag_for_keyword(word) or 0): number for number, word in enumerate(lists)}
    seal, marks = (bytes(dataset.get_item(start + offset).value) for offset in (0x06, 0x05))
    first, second = _canonical(dataset, {0x7FE00010, start + 0x06, *numbers})
    assert seal == hashlib.sha256(first).digest()[:8] + hashlib.sha256(second).digest()[:4]
    expected = b""
    for tag, number in numbers.items():
        if tag in dataset:
            value = bytes(dataset.get_item(tag).value or b"").rstrip(b" \0")
            number += (128 - lists.index("OriginalAttributesSequence")) * (number >= 19)
            expected += bytes([number]) + hashlib.sha256(struct.pack("<I", tag) + value).digest()[:4]
    assert marks == expected + b"\0" * (len(expected) % 2)


@pytest.mark.parametrize("name", [name for name in VECTORS if name not in LINED])
def test_a_reader_of_the_page_alone_agrees_about_thin_packets(name: str) -> None:
    vector = VECTORS[name]
    data, key = _file(vector), _key(vector)
    thin = read_thin(data)
    mask = thin.mask
    if mask is not None:
        thin.fields["padding"] |= _marks(mask, thin.fields["padding"]["step"], thin.fields)
    assert thin.fields == vector["fields"]
    end = len(data) - (16 if thin.signed else 0)
    assert thin.signed == (key is not None)
    if key:
        assert data[end:] == hmac.new(key, data[:end], hashlib.sha256).digest()[:16]
    assert int.from_bytes(data[end - 4 : end], "big") == zlib.crc32(data[: end - 4])
    assert (thin.attributes is not None) == (thin.fields["kind"] == "dicom")
    stream = rebuilt(thin, data[thin.end : end - 4])
    assert len(stream) == vector["stream_bytes"]
    assert hashlib.sha256(stream).hexdigest() == vector["stream_sha256"]


def test_the_attributes_of_the_thin_dicom_vector_are_a_data_set() -> None:
    attributes = read_thin(_file(VECTORS["thin-dicom"])).attributes
    assert attributes is not None
    (name, size, digest) = re.findall(rf"\| {attributes[0]} \| `(\S+)` \| ([\d,]+) \| `(\w+)` \|", PAGE)[0]
    dictionary = (PACKAGE / "transmission" / "thin" / name).read_bytes()
    assert (f"{len(dictionary):,}", hashlib.sha256(dictionary).hexdigest()) == (size, digest)
    data = zlib.decompressobj(wbits=-15, zdict=dictionary).decompress(attributes[1:])
    dataset = pydicom.dcmread(io.BytesIO(bytes(128) + b"DICM" + EXPLICIT_META + data))
    assert (dataset.PatientName, dataset.StudyInstanceUID, dataset.Rows) == ("Vector^Test", "2.25.2", 32)
    assert [element.tag for element in dataset if element.tag.is_private] == [0x6D731007]


def _section(page: str, heading: str) -> str:
    text = (pathlib.Path(__file__).parents[2] / "docs" / page).read_text()
    return text.split(f"## {heading}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("name", VECTORS)
def test_the_sender_makes_the_lines_of_the_page(name: str) -> None:
    """But for the checksum, for encoders of other versions may make other code streams."""
    made = json.loads(json.dumps(block(vectors()[name])))
    if name in LINED:
        assert made["line"].partition(" ~")[0] == VECTORS[name]["line"].partition(" ~")[0]
    else:
        end = read_thin(_file(VECTORS[name])).end
        assert base64.b64decode("".join(made["packet"]))[:end] == _file(VECTORS[name])[:end]
    assert made["fields"] == VECTORS[name]["fields"]


@pytest.mark.parametrize("name", [name for name in LINED if name != "dicom"])
def test_a_vector_with_another_line_is_refused(name: str) -> None:
    vector = VECTORS[name]
    scale = f" /{vector['fields']['scale']} ".encode()
    changed = _file(vector).replace(scale, b" /8 ", 1)
    with pytest.raises(MedsrError, match="damaged"):
        parse_packet(changed)
