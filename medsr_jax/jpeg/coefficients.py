"""The quantised DCT coefficients of a baseline JPEG, exactly as they were sent (ITU-T T.81, Annexes B and F).

Decoded pixels can't give them back in all cases: the decoder rounds and clips to 0..255. A receiver that promises
"nothing in the result contradicts what was sent" needs the sent numbers, so this reads them from the entropy-coded
data. It is also the one check that finds damage inside of a scan, which libjpeg decodes to grey with a warning.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.jpeg.segments import COMMENT, START_OF_SCAN, segments

# Natural (row-major) position of the k-th coefficient of the zigzag order: along each anti-diagonal, turning about.
_ZIGZAG = np.array(sorted(range(64), key=lambda n: (n // 8 + n % 8, n // 8 if (n // 8 + n % 8) % 2 else n % 8)))
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}


@dataclasses.dataclass
class JpegParts:
    """What the marker segments of a JPEG say.

    Attributes:
        rows, columns: of the image.
        components: 1 for grey.
        baseline: Huffman-coded sequential DCT of 8 bits, in one scan.
        table: (8, 8) int32 luma quantisation table in natural order.
        comments: the COM segments in order.
        huffman: the DHT segments in order.
        selected: numbers of the scan's DC and AC table.
        restart: blocks between restart markers; 0 for none.
        scan: what follows the header of the first scan.
    """

    rows: int = 0
    columns: int = 0
    components: int = 0
    baseline: bool = False
    table: np.ndarray | None = None
    comments: tuple[bytes, ...] = ()
    huffman: tuple[bytes, ...] = ()
    selected: tuple[int, int] = (0, 0)
    restart: int = 0
    scan: bytes = b""


def parse(stream: bytes) -> JpegParts:
    """The marker segments up to the first scan.

    Raises:
        MedsrError: the segments are damaged.
    """
    if stream[:2] != b"\xff\xd8":
        raise MedsrError("the code stream is no JPEG")
    try:
        return _parse(stream)
    except (IndexError, ValueError) as error:
        raise MedsrError("the JPEG code stream is damaged in its header") from error


def _parse(stream: bytes) -> JpegParts:
    parts, tables, table_of_first = JpegParts(), dict[int, np.ndarray](), 0
    segment = None
    for segment in segments(stream, last=START_OF_SCAN):
        marker, body = segment.marker, segment.body
        if marker == 0xDB:
            tables.update(_quantisation_tables(body))
        elif marker in _FRAMES:
            parts.rows, parts.columns = int.from_bytes(body[1:3], "big"), int.from_bytes(body[3:5], "big")
            parts.components, table_of_first = body[5], body[8]
            parts.baseline = marker in (0xC0, 0xC1) and body[0] == 8
        elif marker == 0xC4:
            parts.huffman += (body,)
        elif marker == 0xDD:
            parts.restart = int.from_bytes(body[:2], "big")
        elif marker == COMMENT:
            parts.comments += (body,)
    if segment is None or segment.marker != START_OF_SCAN:
        raise ValueError("no scan")
    parts.selected = (segment.body[2] >> 4, segment.body[2] & 15)
    parts.scan = stream[segment.end :]
    parts.table = tables.get(table_of_first)
    return parts


def _quantisation_tables(body: bytes) -> dict[int, np.ndarray]:
    found, at = {}, 0
    while at < len(body):
        wide, name = body[at] >> 4, body[at] & 15
        values = np.frombuffer(body, ">u2" if wide else "u1", 64, at + 1)
        natural = np.empty(64, np.int32)
        natural[_ZIGZAG] = values
        found[name] = natural.reshape(8, 8)
        at += 1 + 64 * (1 + bool(wide))
    return found


def _huffman_tables(segments_: tuple[bytes, ...]) -> dict[tuple[int, int], list[int]]:
    """By class (0 DC, 1 AC) and number, ``length << 8 | symbol`` of the next 16 bits; 0 where no code begins so."""
    tables: dict[tuple[int, int], list[int]] = {}
    for body in segments_:
        at = 0
        while at < len(body):
            counts = body[at + 1 : at + 17]
            symbols = body[at + 17 : at + 17 + sum(counts)]
            lookup: list[int] = []
            used = 0
            for length, count in enumerate(counts, start=1):
                for symbol in symbols[used : used + count]:
                    lookup += [length << 8 | symbol] * (1 << (16 - length))
                used += count
            if len(symbols) != sum(counts) or len(lookup) > 65536:
                raise ValueError("Huffman table")
            tables[body[at] >> 4 & 1, body[at] & 15] = lookup + [0] * (65536 - len(lookup))
            at += 17 + sum(counts)
    return tables


def coefficients(parts: JpegParts) -> np.ndarray | None:
    """The quantised DCT indices of a grey baseline JPEG.

    Args:
        parts: of the stream, from `parse`.

    Returns:
        int16 of shape (block rows, block columns, 8, 8), each block in natural order, [0, 0] the DC index;
        multiplied by the table they are the transform (orthonormal DCT-II) of the samples minus 128. None for a JPEG
        that has several components or is not baseline.

    Raises:
        MedsrError: the code stream ends early or is damaged.
    """
    if parts.components != 1 or not parts.baseline:
        return None
    shape = (-(-parts.rows // 8), -(-parts.columns // 8))
    # Each block takes two bits at the least: a header that claims more is refused before anything is allocated.
    if 0 in shape or shape[0] * shape[1] * 2 > len(parts.scan) * 8:
        raise _damaged()
    blocks = np.zeros((shape[0] * shape[1], 64), np.int16)
    try:
        tables = _huffman_tables(parts.huffman)
        dc, ac = tables[0, parts.selected[0]], tables[1, parts.selected[1]]
        begin = 0
        step = parts.restart or len(blocks)
        for run in _runs(parts.scan):
            _decode_run(run, blocks[begin : begin + step], dc, ac)
            begin += step
    except (KeyError, IndexError, OverflowError, ValueError) as error:
        raise _damaged() from error
    if begin < len(blocks):
        raise _damaged()
    natural = np.empty_like(blocks)
    natural[:, _ZIGZAG] = blocks
    return natural.reshape(*shape, 8, 8)


def _damaged() -> MedsrError:
    return MedsrError("the JPEG code stream ends early or is damaged")


def _runs(scan: bytes) -> list[bytes]:
    """The entropy-coded runs between restart markers, without byte stuffing."""
    runs, begin, at = [], 0, 0
    while True:
        at = scan.find(b"\xff", at)
        if at < 0 or at + 1 >= len(scan):
            raise _damaged()  # no end marker
        marker = scan[at + 1]
        if marker == 0:
            at += 2
            continue
        runs.append(scan[begin:at].replace(b"\xff\x00", b"\xff"))
        if not 0xD0 <= marker <= 0xD7:
            return runs
        at = begin = at + 2


def _decode_run(run: bytes, blocks: np.ndarray, dc: list[int], ac: list[int]) -> None:
    # The window holds at least 32 bits at each look: a code of up to 16 and the bits that follow it. Past the end it is
    # filled with ones; a run that needed those is damaged.
    window = held = at = previous = 0
    for block in blocks:
        k = 0
        while k < 64:
            while held < 32:
                window = (window << 8 | (run[at] if at < len(run) else 0xFF)) & 0xFFFFFFFFFF
                at += 1
                held += 8
            entry = (ac if k else dc)[window >> (held - 16) & 0xFFFF]
            if not entry:
                raise _damaged()
            held -= entry >> 8
            size = entry & 15
            if k:
                skip = entry >> 4 & 15
                if size == 0:
                    if skip < 15:
                        break  # end of block
                    k += 16
                    continue
                k += skip
            held -= size
            value = window >> held & ((1 << size) - 1)
            if size and not value >> (size - 1):
                value -= (1 << size) - 1
            if k == 0:
                previous += value
                value = previous
            block[k] = value
            k += 1
    if at * 8 - held > len(run) * 8:
        raise _damaged()
