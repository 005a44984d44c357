"""Feeds damaged and hostile weights files to their readers, and reports all that is not one line within seconds.

    python scripts/check/fuzz_weights.py [--seconds 60] [--seed 0]

A mutant of a small generator, in safetensors, PyTorch's two formats and ncnn's two files, is read as `medsr import` and
`medsr restore --model` read it. A fault is an exception other than `MedsrError`, a message of several lines, or a read
of more than 2 seconds. Exit status: the number of faults, 99 at most.
"""

from __future__ import annotations

import argparse
import collections
import io
import json
import pathlib
import struct
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable

import numpy as np

from medsr_jax.errors import MedsrError
from medsr_jax.weights import model_file
from medsr_jax.weights.importing.generator import import_weights

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from weights_seeds import seeds

SLOW = 2.0
Random = np.random.Generator
# What a number in a header may be made, and what a word.
_NUMBERS = (0, 1, -1, 127, 255, 2**16, 2**31 - 1, 2**31, 2**32, 2**62, 2**63, 2**64, 10**30, 1e308, float("nan"))
_VALUES = (*_NUMBERS, None, True, "", "x" * 1000, [], {}, [[]], "\x1b[31m", "\ud800")


def mutated(data: bytes, random: Random) -> bytes:
    """A few changes of one kind or another."""
    changes: list[Callable[[bytes, Random], bytes]] = [_flipped, _flipped, _cut, _repeated, _number, _spliced]
    if data[8:9] == b"{":
        changes += [_header, _header, _header, _length]
    if data[:2] == b"PK":
        changes += [_repacked] * 4
    if data[:7] == b"7767517":
        changes += [_word] * 5
    for _ in range(random.integers(1, 4)):
        data = changes[random.integers(len(changes))](data, random)
    return data


def read(path: pathlib.Path) -> tuple[str, float]:
    """What is wrong with how a file was read, empty for nothing; and the seconds that it took."""
    began, problem = time.monotonic(), ""
    for reader in (import_weights, model_file.load):
        try:
            reader(path)
        except MedsrError as error:
            if len(str(error).splitlines()) != 1:
                problem = f"{reader.__name__}: a message of several lines: {str(error)[:300]!r}"
        except Exception:
            problem = f"{reader.__name__}: {traceback.format_exc()}"
    seconds = time.monotonic() - began
    return problem or (f"{seconds:.1f} seconds" if seconds > SLOW else ""), seconds


def fuzz(
    folder: pathlib.Path, *, seed: int, mutants: int | None = None, seconds: float | None = None
) -> tuple[int, list[str]]:
    """Read mutants until there were so many or the time is up; how many there were, and the faults.

    Args:
        folder: where the mutants lie while they are read; that of a fault stays.
        seed: of the first mutant.
        mutants, seconds: the most of either.
    """
    files, faults, count = seeds(folder), [], 0
    end = None if seconds is None else time.monotonic() + seconds
    while (mutants is None or count < mutants) and (end is None or time.monotonic() < end):
        random = np.random.default_rng(seed + count)
        kind = list(files)[count % len(files)]
        place = folder / f"{kind}-{seed + count}"
        place.mkdir()
        changed = random.integers(len(files[kind]))
        for number, (name, data) in enumerate(files[kind].items()):
            (place / name).write_bytes(mutated(data, random) if number == changed else data)
        problem, _ = read(place / next(iter(files[kind])))
        if problem:
            faults.append(f"{place}: {problem}")
        else:
            for path in place.iterdir():
                path.unlink()
            place.rmdir()
        count += 1
    return count, faults


def _flipped(data: bytes, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(random.integers(1, 5)):
        if changed:
            at = random.integers(min(len(changed), random.choice([64, 600, len(changed)])))
            changed[at] = random.choice([0, 1, 127, 128, 255, random.integers(256)])
    return bytes(changed)


def _cut(data: bytes, random: Random) -> bytes:
    return data[: random.integers(len(data) + 1)]


def _repeated(data: bytes, random: Random) -> bytes:
    if not data:
        return data
    at, size = random.integers(len(data)), random.integers(1, 65)
    return data[:at] + data[at : at + size] * int(random.choice([2, 3, 200])) + data[at + size :]


def _spliced(data: bytes, random: Random) -> bytes:
    one, other = random.integers(len(data) + 1, size=2)
    return data[:one] + data[other:]


def _number(data: bytes, random: Random) -> bytes:
    if len(data) < 8:
        return data
    size = int(random.choice([1, 2, 4, 8]))
    at = random.integers(min(len(data) - size, random.choice([64, 600, len(data)])) + 1)
    value = int(random.choice([0, 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1])) * int(
        random.choice([1, 2**16, 2**31])
    )
    return data[:at] + (value % 2 ** (8 * size)).to_bytes(size, "little") + data[at + size :]


def _length(data: bytes, random: Random) -> bytes:
    value = int(random.choice([0, 1, 2, 8, len(data), 10**8, 2**31, 2**62])) * int(random.choice([1, 2]))
    return struct.pack("<Q", value % 2**64) + data[8:]


def _header(data: bytes, random: Random) -> bytes:
    """A JSON header with a value, a key or a nesting that does not belong there."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        key = list(header)[random.integers(len(header))]
        what = random.integers(5)
        if what == 0:
            header[key] = _any(random)
        elif what == 1 and isinstance(header[key], dict):
            inner = list(header[key])[random.integers(len(header[key]))]
            header[key][inner] = _any(random)
        elif what == 2 and "shape" in header[key]:
            header[key]["shape"] = [_any(random) for _ in range(random.integers(0, 70))]
        elif what == 3 and "shape" in header[key]:
            header[key]["data_offsets"] = [int(random.integers(0, 400)), int(random.integers(0, 400))]
        else:
            metadata = header.setdefault("__metadata__", {})
            inner = random.choice(["format", "model", "fields", "card", *metadata])
            deep = int(random.choice([1, 200, 100_000]))
            choices = [
                "[" * deep,
                "{" * deep,
                '{"a":' * deep,
                "1",
                "null",
                "[]",
                '{"scale": 99999999999999999999}',
                "\x1b[2J",
            ]
            choices += [
                '{"blocks": 65536, "features": 65536}',
                '{"scale": 65536}',
                '{"features": true}',
                '{"a": 1e999}',
            ]
            metadata[inner] = choices[random.integers(len(choices))]
        text = json.dumps(header).encode("utf-8", "surrogatepass")
    except (ValueError, TypeError, AttributeError, RecursionError, IndexError):
        return _flipped(data, random)
    if random.random() < 0.1:  # twice the same key
        text = text[:-1] + b"," + text[1:]
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


def _any(random: Random) -> object:
    return _VALUES[random.integers(len(_VALUES))]


def _repacked(data: bytes, random: Random) -> bytes:
    """An archive with a member changed, compressed, doubled or missing."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {info.filename: archive.read(info) for info in archive.infolist() if info.file_size < 1 << 20}
    except Exception:  # an archive that earlier changes have damaged
        return _flipped(data, random)
    made = io.BytesIO()
    chosen = list(members)[random.integers(len(members))] if members else ""
    chosen = "m/data.pkl" if random.random() < 0.6 and "m/data.pkl" in members else chosen
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in members.items():
            if name != chosen:
                archive.writestr(name, content)
                continue
            what = random.integers(5)
            if what == 0:
                archive.writestr(name, b"\0" * (1 << 24), zipfile.ZIP_DEFLATED)
            elif what == 1:
                archive.writestr(name, _opcodes(content, random))
            elif what == 2:
                archive.writestr(name, _opcodes(content, random)[: random.integers(1, len(content) + 2)])
            elif what == 3:
                archive.writestr(name, _flipped(content, random))
    return made.getvalue()


def _opcodes(content: bytes, random: Random) -> bytes:
    """A pickle with operations put in that cost much or make no sense."""
    doubled = b"".join([b")", *[b"2\x86"] * 40])  # a tuple of twice the tuple before
    hostile = [
        b"r\xff\xff\xff\x7f",
        b"r\xff\xff\xff\xff",
        b"j\xff\xff\xff\xff",
        b"(" * 20_000,
        b"]" * 20_000,
        b"]" + b"\x85" * 20_000,
        b"}" + doubled + b"K\x01s",
        doubled,
        b"cos\nsystem\n(S'true'\ntR",
        b"ctorch\nSize\n" + doubled + b"R",
        b"\x8b\xff\xff\xff\x7f",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"B\xff\xff\xff\x7f",
        b"I" + b"9" * 100_000 + b"\n",
        b"N", b"0", b"t", b"e", b"u", b"s", b"Q", b"b", b"R", b"2", b".",
    ]  # fmt: skip
    at = random.integers(2, len(content)) if len(content) > 2 else 0
    return content[:at] + hostile[random.integers(len(hostile))] + content[at:]


def _word(data: bytes, random: Random) -> bytes:
    """A text with a word changed to one that a careless reader stumbles on."""
    lines = [line.split(b" ") for line in data.split(b"\n")]
    words = lines[random.integers(len(lines))]
    odd = [b"-1", b"0", b"99999999999", b"9" * 5000, b"1e999", b"nan", b"-23310=1,nan", b"0=-5", b"0=", b"=", b"6=1=2"]
    odd += [b"-23310=99999999,1", b"Input", b"Convolution", b"PixelShuffle", b"Interp", b"x", b"\xff", b"\x1b[31m"]
    words[random.integers(len(words))] = odd[random.integers(len(odd))]
    return b"\n".join(b" ".join(line) for line in lines)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="for 5 seconds")
    options = parser.parse_args()
    options.seconds = 5 if options.tiny else options.seconds
    folder = pathlib.Path(tempfile.mkdtemp(prefix="fuzz-weights-"))
    count, faults = fuzz(folder, seed=options.seed, seconds=options.seconds)
    for fault, times in collections.Counter(faults).items():
        print(fault if times == 1 else f"{fault} ({times} times)")
    print(f"{count} mutants, {len(faults)} faults" + (f"; the files are in {folder}" if faults else ""))
    return min(len(faults), 99)


if __name__ == "__main__":
    sys.exit(main())
