"""A reader of thin packets that was written from docs/packet-format.md alone and takes nothing from the package."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import struct
from collections.abc import Iterator
from typing import Any

PAGE = pathlib.Path(__file__).parents[3] / "docs" / "packet-format.md"
TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "float16", "float32", "float64")
KERNELS, CODECS = ("area", "bicubic", "lanczos"), ("jpeg", "jpeg2000", "avif", "vvc")
KINDS = ("png", "jpeg", "tiff", "dicom")
# Annex K of T.81, table K.1, row by row.
ANNEX_K = (
    "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 "
    "18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"
)
LEVELS = {
    0: (147456, 2048, 1152),
    1: (278784, 2816, 1584),
    4: (665856, 4352, 2448),
    5: (1065024, 5504, 3096),
    8: (2359296, 6144, 3456),
    12: (8912896, 8192, 4352),
    16: (35651584, 16384, 8704),
}
NORMS = {
    "LL": (1.000, 1.965, 4.177, 8.403, 16.90, 33.84, 67.69, 135.3, 270.6, 540.9),
    "HL": (0, 2.022, 3.989, 8.355, 17.04, 34.27, 68.63, 137.3, 274.6, 549.0),
    "HH": (0, 2.080, 3.865, 8.307, 17.18, 34.71, 69.59, 139.3, 278.6, 557.2),
}


@dataclasses.dataclass
class Thin:
    """What the header of a thin packet says."""

    fields: dict[str, Any]
    form: int
    bits: int
    signed: bool
    end: int
    mask: bytes | None = None
    attributes: bytes | None = None


def read_thin(data: bytes) -> Thin:
    at, last = 3, 0.0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        assert at <= len(data)
        return data[at - count : at]

    def varint() -> int:
        value = shift = 0
        while True:
            (byte,) = take(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def number() -> float:
        nonlocal last
        v = varint()
        if v % 2 == 0:
            last = _unzigzag(v // 2)
        elif v == 1:
            (last,) = struct.unpack("<d", take(8))
        elif v == 3:
            (last,) = struct.unpack("<f", take(4))
        elif v == 5:
            mantissa, exponent = _unzigzag(varint()), _unzigzag(varint())
            last = float(f"{mantissa}e{exponent}")
        else:
            assert v == 7
        return last

    assert data[:3] == b"\xd3\x6d\x01"
    coding, kind, quality = take(3)
    rows = varint()
    columns = rows if quality & 128 else varint()
    form = varint()
    options = varint() if kind & 128 else 0
    dtype = TYPES[kind & 15]
    size = int(dtype.lstrip("uintfloa"))
    n = size if "float" not in dtype else 0
    least, greatest = 0.0, 0.0
    if options & 1:
        n = varint()
        if n == 0:
            least, greatest = number(), number()
    if n:
        least, greatest = (-(2 ** (n - 1)), 2 ** (n - 1) - 1) if dtype[0] == "i" else (0, 2**n - 1)
    low, high = least, greatest
    if options & 2:
        low, high = number(), number()
    if options & 4:
        a, b, span = number(), number(), greatest - least
        low, high = least - span * a / 256, greatest + span * b / 256
    bits = take(1)[0] if options & 8 else 16 if coding % 8 == 3 else 8
    fields: dict[str, Any] = {"rows": rows, "columns": columns, "dtype": dtype, "value_range": [least, greatest]}
    fields |= {"low": low, "high": high, "levels": 2**bits - 1, "scale": 1 + (coding >> 3) % 8}
    fields |= {"kernel": KERNELS[coding >> 6], "quality": quality % 128, "codec": CODECS[coding % 8], "version": 2}
    fields["spacing"] = [number(), number()] if options & 16 else None
    thin = Thin(fields, form, bits, signed=bool(options & 256), end=0)
    if options & 32:
        fields["padding"] = {"low": number(), "high": number(), "fill": number()}
        m = varint()
        fields["padding"]["step"] = fields["scale"] if m % 2 else 1
        thin.mask = take(m // 2)
    texts = []
    if options & 64:
        flags = varint()
        texts += ["dark, codes span the data"] if flags & 1 else []
        texts += [f"smoothed {varint() / 10:.1f}%"] if flags & 2 else []
        texts += [take(varint()).decode()] if flags & 4 else []
    fields["preprocess"] = ", ".join(texts)
    assert options < 1 << 10
    assert not options & 128
    thin.attributes = take(varint()) if options & 512 else None
    fields |= {"frames": 1, "kind": KINDS[kind >> 4 & 3], "inverted": bool(kind & 64)}
    thin.end = at
    return thin


def _unzigzag(value: int) -> int:
    return value // 2 if value % 2 == 0 else -(value + 1) // 2


def rebuilt(thin: Thin, payload: bytes) -> bytes:
    """The code stream of a payload: for AV1, its units."""
    scale = thin.fields["scale"]
    rows, columns = -(-thin.fields["rows"] // scale), -(-thin.fields["columns"] // scale)
    assert thin.form
    if thin.fields["codec"] == "jpeg":
        return _jpeg(payload, rows, columns, thin.fields["quality"])
    if thin.fields["codec"] == "jpeg2000":
        return _jpeg2000(payload, rows, columns, thin.bits, thin.form - 1)
    if thin.fields["codec"] == "vvc":
        return _vvc(payload, rows, columns, thin.form)
    header = _sequence_header(rows, columns, thin.form - 2)
    return b"\x0a" + _leb(len(header)) + header + b"\x32" + _leb(len(payload)) + payload


def _leb(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value % 128 + 128]) + _leb(value // 128)


def _jpeg(payload: bytes, rows: int, columns: int, quality: int) -> bytes:
    p = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = [min(max((int(step) * p + 50) // 100, 1), 255) for step in ANNEX_K.split()]
    table = bytes(steps[place] for place in _zigzag_order())
    bits = "".join(f"{byte:08b}" for byte in payload)
    at, tables = 0, b""

    def take(count: int) -> int:
        nonlocal at
        at += count
        return int(bits[at - count : at] or "0", 2)

    def golomb(order: int) -> int:
        zeros = 0
        while not take(1):
            zeros += 1
        return ((2**zeros + take(zeros) - 1) << order) + take(order)

    ac = sorted((run + 3 * size, 16 * run + size) for run in range(16) for size in range(1, 11))
    for name, symbols, order in ((0x00, [*range(12)], 0), (0x10, [0, *(s for _, s in ac), 0xF0], 1)):
        counts = [golomb(0) for _ in range(take(4) + 1)]
        used = [symbols.pop(golomb(order)) for _ in range(sum(counts))]
        tables += bytes([name, *counts, *[0] * (16 - len(counts)), *used])
    size = rows.to_bytes(2, "big") + columns.to_bytes(2, "big")
    frame = bytes.fromhex("FFC0000B08") + size + bytes.fromhex("01011100")
    huffman = b"\xff\xc4" + (len(tables) + 2).to_bytes(2, "big") + tables
    start = bytes.fromhex("FFD8FFDB004300") + table + frame + huffman + bytes.fromhex("FFDA0008010100003F00")
    return start + payload[-(-at // 8) :] + b"\xff\xd9"


def _zigzag_order() -> Iterator[int]:
    for diagonal in range(15):
        places = [(row, diagonal - row) for row in range(8) if 0 <= diagonal - row < 8]
        yield from (8 * row + column for row, column in (places if diagonal % 2 else reversed(places)))


def _jpeg2000(payload: bytes, rows: int, columns: int, bits: int, d: int) -> bytes:
    sides = columns.to_bytes(4, "big") + rows.to_bytes(4, "big")
    size = b"\xff\x51\0\x29\0\0" + sides + bytes(8) + sides + bytes(8) + bytes([0, 1, bits - 1, 1, 1])
    coding = bytes.fromhex("0102000100") + bytes([d]) + bytes.fromhex("04040000") + b"\x88" * (d + 1)
    bands = [("LL", d), *((band, level) for level in range(d, 0, -1) for band in ("HL", "HL", "HH"))]
    quantisation = b"\x42"
    for band, level in bands:
        binary = f"{int(8192 / NORMS[band][level]):b}"
        exponent = bits + 13 - (len(binary) - 1)
        quantisation += (exponent << 11 | int((binary[1:] + "0" * 11)[:11], 2)).to_bytes(2, "big")
    tile = bytes.fromhex("FF90000A0000") + (len(payload) + 14).to_bytes(4, "big") + b"\0\1\xff\x93"
    segments = [b"\xff\x52", coding, b"\xff\x5c", quantisation]
    lengths = [(len(body) + 2).to_bytes(2, "big") for body in segments[1::2]]
    main = segments[0] + lengths[0] + segments[1] + segments[2] + lengths[1] + segments[3]
    return b"\xff\x4f" + size + main + tile + payload + b"\xff\xd9"


def vvc_rows() -> list[tuple[str, str, str]]:
    """The page's table of parameter sets."""
    return re.findall(r"^\| \d+ \| `([0-9a-f]{17})` \| `([0-9a-f]+)` \| `([0-9a-f]+)` \|$", PAGE.read_text(), re.M)


def _vvc(payload: bytes, rows: int, columns: int, form: int) -> bytes:
    before, after, parameters = (int(number, 16) for number in vvc_rows()[form - 1])
    rows, columns = (max(16, side + side % 2) for side in (rows, columns))
    w, h = (-(-side // 8) * 8 for side in (columns, rows))

    def ue(value: int) -> str:
        binary = f"{value + 1:b}"
        return "0" * (len(binary) - 1) + binary

    window = "0"
    if (w, h) != (columns, rows):
        window = "1" + ue(0) + ue((w - columns) // 2) + ue(0) + ue((h - rows) // 2)
    sequence = f"{before:066b}{ue(w)}{ue(h)}{window}{f'{after:b}'[1:]}"
    picture = f"{0x40800:027b}{ue(w)}{ue(h)}{f'{parameters:b}'[1:]}"
    third = b"\0\0\0\1" if payload[1] >> 3 == 17 else b"\0\0\1"
    return b"\0\0\0\1" + _unit(sequence) + b"\0\0\0\1" + _unit(picture) + third + payload


def _unit(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    escaped = bytearray()
    for byte in int(bits, 2).to_bytes(len(bits) // 8, "big"):
        if byte <= 3 and escaped[-2:] == b"\0\0":
            escaped.append(3)
        escaped.append(byte)
    return bytes(escaped)


def _sequence_header(rows: int, columns: int, f: int) -> bytes:
    level = next((n for n, (p, c, r) in LEVELS.items() if rows * columns <= p and columns <= c and rows <= r), 31)
    w, h = (max(1, (side - 1).bit_length()) for side in (columns, rows))
    bits = f"00011{level:05b}{w - 1:04b}{h - 1:04b}{columns - 1:0{w}b}{rows - 1:0{h}b}"
    bits += "".join(str(int(bool(f & flag))) for flag in (64, 1, 2, 128, 4, 8, 32))
    bits += f"1{int(bool(f & 16))}"
    bits += f"{1:08b}{13:08b}{6:08b}" if f & 16 else ""
    bits += "101"
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")
