"""PNG, JPEG and TIFF files come in as grey images and go out without loss."""

from __future__ import annotations

import io
import pathlib
import struct
import zlib

import imagecodecs
import numpy as np
import PIL.Image
import pytest
import tifffile

from medsr_jax.errors import MedsrError
from medsr_jax.imaging import Image, output_suffix, read_image, sniff, write_image

RANDOM = np.random.default_rng(0)
GREY_8 = RANDOM.integers(0, 256, (7, 5), dtype=np.uint8)
GREY_16 = RANDOM.integers(0, 65536, (7, 5), dtype=np.uint16)
COLOUR = RANDOM.integers(0, 256, (7, 5, 3), dtype=np.uint8)


def luma(rgb: np.ndarray) -> np.ndarray:
    return np.rint(rgb @ np.array([0.299, 0.587, 0.114])).astype(rgb.dtype)


def save(path: pathlib.Path, pixels: np.ndarray, mode: str | None = None, **options: object) -> pathlib.Path:
    image = PIL.Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 48)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_what_is_written_is_read_back_identically(
    tmp_path: pathlib.Path, shape: tuple[int, int], dtype: type, suffix: str
) -> None:
    pixels = RANDOM.integers(0, np.iinfo(dtype).max + 1, (1, *shape), dtype=dtype)
    image = Image(pixels, (0, np.iinfo(dtype).max), "png", spacing=(0.2, 0.1))
    write_image(tmp_path / f"image{suffix}", image)
    back = read_image(tmp_path / f"image{suffix}")
    np.testing.assert_array_equal(back.pixels, pixels)
    assert back.pixels.dtype == dtype
    assert back.value_range == image.value_range
    assert back.spacing == pytest.approx(image.spacing, rel=1e-3)
    assert back.notes == ()


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.uint32, np.float32])
def test_tiff_keeps_every_dtype(tmp_path: pathlib.Path, dtype: type) -> None:
    pixels = (RANDOM.normal(size=(1, 9, 4)) * 100).astype(dtype)
    write_image(tmp_path / "image.tif", Image(pixels, (0, 1), "tiff"))
    back = read_image(tmp_path / "image.tif")
    np.testing.assert_array_equal(back.pixels, pixels)
    assert back.pixels.dtype == dtype
    if dtype == np.float32:
        assert back.value_range == (pixels.min(), pixels.max())
    else:
        assert back.value_range == (np.iinfo(dtype).min, np.iinfo(dtype).max)


def test_constant_images_are_images(tmp_path: pathlib.Path) -> None:
    image = Image(np.full((1, 8, 8), 17, np.uint8), (0, 255), "png")
    write_image(tmp_path / "flat.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "flat.png").pixels, image.pixels)


def test_the_kind_is_told_by_content(tmp_path: pathlib.Path) -> None:
    for kind, form in (("png", "PNG"), ("jpeg", "JPEG"), ("tiff", "TIFF")):
        path = save(tmp_path / "misnamed.dcm", GREY_8, format=form)
        assert sniff(path) == kind
        assert read_image(path).kind == kind


def test_white_is_zero_survives_a_tiff_and_is_turned_for_png(tmp_path: pathlib.Path) -> None:
    image = Image(GREY_8[np.newaxis], (0, 255), "tiff", inverted=True)
    write_image(tmp_path / "image.tif", image)
    back = read_image(tmp_path / "image.tif")
    assert back.inverted
    np.testing.assert_array_equal(back.pixels, image.pixels)
    write_image(tmp_path / "image.png", image)
    np.testing.assert_array_equal(read_image(tmp_path / "image.png").pixels[0], 255 - GREY_8)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colour_becomes_luma_and_says_so(tmp_path: pathlib.Path, suffix: str) -> None:
    image = read_image(save(tmp_path / f"colour{suffix}", COLOUR))
    np.testing.assert_array_equal(image.pixels[0], luma(COLOUR))
    assert image.notes == ("colour converted to grey by BT.601 luma",)


def test_sixteen_bit_colour_keeps_sixteen_bits(tmp_path: pathlib.Path) -> None:
    rgb = RANDOM.integers(0, 65536, (7, 5, 3), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "colour.tif", rgb, photometric="rgb")
    (tmp_path / "colour.png").write_bytes(_png(rgb, colour_type=2))
    for name in ("colour.tif", "colour.png"):
        difference = read_image(tmp_path / name).pixels[0].astype(int) - luma(rgb)
        assert np.abs(difference).max() <= 1, name


def test_equal_channels_come_back_unchanged(tmp_path: pathlib.Path) -> None:
    image = read_image(save(tmp_path / "grey.png", np.repeat(GREY_8[..., None], 3, axis=2)))
    np.testing.assert_array_equal(image.pixels[0], GREY_8)
    assert "equal channels" in image.notes[0]


def test_alpha_is_ignored_with_a_note(tmp_path: pathlib.Path) -> None:
    alpha = np.dstack([GREY_8, GREY_8, GREY_8, np.full_like(GREY_8, 9)])
    image = read_image(save(tmp_path / "alpha.png", alpha))
    np.testing.assert_array_equal(image.pixels[0], GREY_8)
    assert image.notes[0] == "alpha channel ignored"


def test_palettes_and_single_bits_are_spread_to_eight_bits(tmp_path: pathlib.Path) -> None:
    bits = GREY_8 > 127
    for suffix in (".png", ".tif"):
        image = read_image(save(tmp_path / f"bits{suffix}", bits))
        np.testing.assert_array_equal(image.pixels[0], bits * np.uint8(255))
        assert image.value_range == (0, 255)
        paletted = PIL.Image.fromarray(COLOUR).quantize(4)
        paletted.save(tmp_path / f"palette{suffix}")
        image = read_image(tmp_path / f"palette{suffix}")
        np.testing.assert_array_equal(image.pixels[0], luma(np.asarray(paletted.convert("RGB"))))


def test_jpeg_pixels_are_the_decoders_own(tmp_path: pathlib.Path) -> None:
    path = save(tmp_path / "grey.jpg", GREY_8, quality=90)
    np.testing.assert_array_equal(read_image(path).pixels[0], np.asarray(PIL.Image.open(path)))


def test_twelve_bit_and_lossless_jpegs_are_read(tmp_path: pathlib.Path) -> None:
    pixels = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    (tmp_path / "12.jpg").write_bytes(imagecodecs.jpeg8_encode(pixels, level=98, bitspersample=12))
    image = read_image(tmp_path / "12.jpg")
    assert image.value_range == (0, 4095)
    assert np.abs(image.pixels[0].astype(int) - pixels).max() < 64
    (tmp_path / "lossless.jpg").write_bytes(imagecodecs.ljpeg_encode(pixels, bitspersample=16))
    np.testing.assert_array_equal(read_image(tmp_path / "lossless.jpg").pixels[0], pixels)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_images_come_upright(tmp_path: pathlib.Path, orientation: int, suffix: str) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned{suffix}"
    options = {"tiffinfo": {0x0112: orientation}} if suffix == ".tif" else {"exif": exif}
    save(path, GREY_8, dpi=(254, 127), **options)
    image = read_image(path)
    reference = PIL.Image.fromarray(GREY_8)
    reference.getexif()[0x0112] = orientation
    from PIL import ImageOps

    np.testing.assert_array_equal(image.pixels[0], np.asarray(ImageOps.exif_transpose(reference)))
    assert len(image.notes) == (orientation != 1)
    expected = (0.2, 0.1) if orientation < 5 else (0.1, 0.2)
    assert image.spacing == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("tag", ["XResolution", "YResolution"])
def test_a_resolution_divided_by_zero_is_no_spacing(tmp_path: pathlib.Path, tag: str) -> None:
    path = save(tmp_path / "image.tif", GREY_8, dpi=(254, 127))
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags[tag].overwrite((254, 0))
    assert read_image(path).spacing is None


@pytest.mark.parametrize("dpi", [(72, 72), (96, 96), (1, 1), (100000, 100000)])
def test_a_meaningless_resolution_is_no_spacing(tmp_path: pathlib.Path, dpi: tuple[int, int]) -> None:
    for suffix in (".png", ".jpg", ".tif"):
        assert read_image(save(tmp_path / f"image{suffix}", GREY_8, dpi=dpi)).spacing is None


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
def test_every_truncation_is_refused_in_one_line(tmp_path: pathlib.Path, form: str) -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(RANDOM.integers(0, 256, (40, 40), dtype=np.uint8)).save(buffer, form)
    whole = buffer.getvalue()
    path = tmp_path / "cut"
    for length in (5, 20, 100, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:length])
        with pytest.raises(MedsrError) as caught:
            read_image(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF"])
def test_damaged_bytes_never_escape_as_another_exception(tmp_path: pathlib.Path, form: str) -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(RANDOM.integers(0, 256, (20, 20), dtype=np.uint8)).save(buffer, form)
    path = tmp_path / "damaged"
    for _ in range(60):
        damaged = bytearray(buffer.getvalue())
        for at in RANDOM.integers(4, len(damaged), 6):
            damaged[at] = RANDOM.integers(0, 256)
        path.write_bytes(damaged)
        try:
            read_image(path)
        except MedsrError as error:
            assert "\n" not in str(error)


def test_nothing_reaches_the_terminal(tmp_path: pathlib.Path, capfd: pytest.CaptureFixture[str]) -> None:
    test_damaged_bytes_never_escape_as_another_exception(tmp_path, "TIFF")
    test_damaged_bytes_never_escape_as_another_exception(tmp_path, "JPEG")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_float_tiff_must_be_finite(tmp_path: pathlib.Path, value: float) -> None:
    pixels = np.ones((4, 4), np.float32)
    pixels[1, 2] = value
    tifffile.imwrite(tmp_path / "nan.tif", pixels)
    with pytest.raises(MedsrError, match="NaN or infinite"):
        read_image(tmp_path / "nan.tif")


def test_a_tiff_of_several_pages_is_refused(tmp_path: pathlib.Path) -> None:
    tifffile.imwrite(tmp_path / "pages.tif", np.zeros((3, 8, 8), np.uint8), photometric="minisblack")
    with pytest.raises(MedsrError, match="3 pages"):
        read_image(tmp_path / "pages.tif")


@pytest.mark.parametrize("compression", ["none", "lzw", "zlib", "packbits", "jpeg", "zstd"])
def test_usual_tiff_compressions_are_read(tmp_path: pathlib.Path, compression: str) -> None:
    pixels = np.full((16, 16), 77, np.uint8)
    tifffile.imwrite(tmp_path / "image.tif", pixels, compression=compression, tile=(16, 16))
    np.testing.assert_array_equal(read_image(tmp_path / "image.tif").pixels[0], pixels)


def test_enormous_sides_are_refused_before_memory_is_taken(tmp_path: pathlib.Path) -> None:
    (tmp_path / "bomb.png").write_bytes(_png_header(65500, 65500))
    (tmp_path / "bomb.jpg").write_bytes(_with_jpeg_size(65500, 65500))
    tifffile.imwrite(tmp_path / "bomb.tif", np.zeros((4, 4), np.uint8))
    raw = bytearray((tmp_path / "bomb.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "bomb.tif") as file:
        for tag in ("ImageWidth", "ImageLength"):
            at = file.pages[0].tags[tag].valueoffset
            raw[at : at + 2] = struct.pack("<H", 65500)
    (tmp_path / "bomb.tif").write_bytes(raw)
    for name in ("bomb.png", "bomb.jpg", "bomb.tif"):
        with pytest.raises(MedsrError, match="million"):
            read_image(tmp_path / name)


def test_one_long_side_is_an_image(tmp_path: pathlib.Path) -> None:
    pixels = np.zeros((2, 65500), np.uint8)
    assert read_image(save(tmp_path / "long.png", pixels)).pixels.shape == (1, 2, 65500)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b"this is a note, not a DICOM file\n" * 9, "text file"),
        (b"%PDF-1.7 \x00\x01\x02", "is a PDF"),
        (bytes(range(256)), "no PNG, JPEG, TIFF or DICOM"),
    ],
)
def test_other_files_are_refused_with_what_they_are(tmp_path: pathlib.Path, content: bytes, problem: str) -> None:
    (tmp_path / "image.dcm").write_bytes(content)
    with pytest.raises(MedsrError, match=problem):
        read_image(tmp_path / "image.dcm")


def test_folders_and_missing_files_are_refused(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MedsrError, match="is a folder, not an image"):
        read_image(tmp_path)
    with pytest.raises(MedsrError, match=r"absent\.png: can't be read: No such file"):
        read_image(tmp_path / "absent.png")


def test_formats_that_would_lose_something_are_refused(tmp_path: pathlib.Path) -> None:
    image = Image(np.zeros((1, 4, 4), np.float32), (0, 0), "tiff")
    with pytest.raises(MedsrError, match="PNG can't hold"):
        write_image(tmp_path / "image.png", image)
    with pytest.raises(MedsrError, match=r"not \.jpg;"):
        write_image(tmp_path / "image.jpg", image)
    assert output_suffix(image) == ".tif"
    assert list(tmp_path.iterdir()) == []


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(pixels: np.ndarray, *, colour_type: int) -> bytes:
    rows = pixels.astype(">u2").reshape(len(pixels), -1)
    body = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, colour_type, 0, 0, 0)
    parts = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(body)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _png_header(rows: int, columns: int) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + _chunk(b"IDAT", zlib.compress(bytes(1000))) + _chunk(b"IEND", b"")


def _with_jpeg_size(rows: int, columns: int) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(GREY_8).save(buffer, "JPEG")
    data = bytearray(buffer.getvalue())
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", rows, columns)
    return bytes(data)


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_sixteen_bits_a_channel_stay_sixteen(tmp_path: pathlib.Path, channels: int) -> None:
    """Pillow would cut them to eight."""
    pixels = np.dstack([GREY_16] * channels)
    if channels in {2, 4}:
        pixels[..., -1] = 65535
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels[0], GREY_16)


def test_of_an_animated_png_the_default_image_is_read_with_a_note(tmp_path: pathlib.Path) -> None:
    second = PIL.Image.fromarray(255 - GREY_8)
    image = read_image(save(tmp_path / "a.png", GREY_8, save_all=True, append_images=[second]))
    np.testing.assert_array_equal(image.pixels[0], GREY_8)
    assert image.notes == ("animated PNG: only the default image is read",)
    assert read_image(save(tmp_path / "b.png", GREY_8)).notes == ()


@pytest.mark.parametrize("options", [{}, {"transparency": 3}, {"transparency": bytes(range(256))}])
def test_a_palettes_colours_are_read_and_its_transparency_is_ignored_with_a_note(
    tmp_path: pathlib.Path, options: dict[str, object]
) -> None:
    picture = PIL.Image.fromarray(GREY_8, "L").convert("P")
    picture.putpalette([level for index in range(256) for level in (255 - index,) * 3])
    picture.save(tmp_path / "a.png", **options)
    image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image.pixels[0], 255 - GREY_8)
    assert ("alpha channel ignored" in image.notes) == bool(options)


def test_a_description_is_written_and_none_where_there_is_none(tmp_path: pathlib.Path) -> None:
    image = Image(GREY_8[None], (0, 255), "png")
    for description in ("", "restored"):
        for suffix in (".png", ".tif"):
            write_image(tmp_path / f"a{suffix}", image, description=description)
        with PIL.Image.open(tmp_path / "a.png") as png, tifffile.TiffFile(tmp_path / "a.tif") as tif:
            assert png.info.get("Description", "") == tif.pages[0].description == description


@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_a_suffix_of_no_format_leaves_the_images_own(tmp_path: pathlib.Path, kind: str) -> None:
    write_image(tmp_path / "a.dat", Image(GREY_8[None], (0, 255), kind))
    assert sniff(tmp_path / "a.dat") == kind
