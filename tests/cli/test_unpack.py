"""`medsr compress --container thin`, `medsr unpack`, and a thin packet in the other commands."""

from __future__ import annotations

import json
import pathlib

import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

from medsr_jax.cli import app
from medsr_jax.transmission.packet_io import read_packet
from tests.transmission.images import BUNDLED, made

RUN = CliRunner()


@pytest.fixture
def image(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "chest.png"
    Pillow.fromarray(made(120, 144).pixels[0]).save(path)
    return path


def run(*arguments: object, status: int = 0) -> str:
    done = RUN.invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == status, done.output
    return done.output


@pytest.mark.parametrize(
    ("codec", "suffix"), [("avif", ".avif"), ("jpeg", ".jpg"), ("jpeg2000", ".j2k"), ("vvc", ".266")]
)
def test_a_thin_packet_becomes_the_file_that_it_stands_for(
    image: pathlib.Path, tmp_path: pathlib.Path, codec: str, suffix: str
) -> None:
    sent, opened = tmp_path / "sent", tmp_path / "opened"
    said = run("compress", image, "-o", sent, "--codec", codec, "--scale", "2", "--max-bytes", 500, "--json")
    assert json.loads(said.splitlines()[0])["output"].endswith("chest.medsr")
    assert (sent / "chest.medsr").stat().st_size <= 500
    assert json.loads(run("info", sent / "chest.medsr", "--json"))["levels"] == (1024 if codec == "vvc" else 256)
    assert " of them pixels, from " in run("unpack", sent, "-o", opened)
    thin, standard = read_packet(sent / "chest.medsr"), read_packet(opened / f"chest{suffix}")
    assert (thin.header, thin.sha256) == (standard.header, standard.sha256)
    if codec != "vvc":  # which Pillow doesn't know
        with Pillow.open(opened / f"chest{suffix}") as picture:
            assert (picture.height, picture.width) == thin.header.small_shape
    assert "from" in run("unpack", opened, "-o", tmp_path / "again")
    assert (tmp_path / "again" / f"chest{suffix}").read_bytes() == (opened / f"chest{suffix}").read_bytes()


def test_info_and_compress_know_a_thin_packet(image: pathlib.Path, tmp_path: pathlib.Path) -> None:
    packet = tmp_path / "chest.medsr"
    run("compress", image, "-o", packet, "--container", "thin")
    facts = json.loads(run("info", packet, "--json"))
    assert (facts["kind"], facts["container"], facts["rows"]) == ("packet", "thin", 120)
    said = run("info", packet)
    assert "thin, format 2, jpeg quality" in said
    assert "bytes for a code stream of" in said
    assert "is a packet of `medsr compress` already" in run("compress", packet, "-o", tmp_path / "again", status=1)
    packet.write_bytes(packet.read_bytes()[:-1])
    assert "damaged" in run("unpack", packet, "-o", tmp_path / "opened", status=1)
    assert "is no packet" in run("unpack", image, "-o", tmp_path / "opened", status=1)


def test_a_signed_thin_packet_is_signed_anew(image: pathlib.Path, tmp_path: pathlib.Path) -> None:
    key, packet = tmp_path / "key", tmp_path / "chest.medsr"
    key.write_bytes(b"sixteen secret bytes")
    run("compress", image, "-o", packet, "--scale", "4", "--max-bytes", 900, "--key", key)
    named = ["-o", tmp_path / "named.avif", "--max-bytes", "900", "--scale", "4"]
    assert "becomes a .medsr file and not named.avif" in run("compress", image, *named, status=1)
    run("unpack", packet, "-o", tmp_path / "signed.266", "--key", key)
    assert read_packet(tmp_path / "signed.266", key=key.read_bytes()).header.notes == ()
    assert "no key was given" in run("unpack", packet, "-o", tmp_path / "plain.266")
    with pytest.raises(Exception, match="not signed"):
        read_packet(tmp_path / "plain.266", key=key.read_bytes())


def test_a_thin_dicom_packet_becomes_a_dicom_object_or_the_picture_alone(tmp_path: pathlib.Path) -> None:
    ct = BUNDLED / "CT_small.dcm"
    run("compress", ct, "-o", tmp_path / "a.medsr", "--container", "thin", "--codec", "jpeg2000")
    run("unpack", tmp_path / "a.medsr", "-o", tmp_path / "opened")
    thin, standard = read_packet(tmp_path / "a.medsr"), read_packet(tmp_path / "opened" / "a.dcm")
    assert (thin.header, thin.sha256) == (standard.header, standard.sha256)
    run("compress", ct, "-o", tmp_path / "b.medsr", "--max-bytes", 2500, "--scale", 4, "--codec", "avif")
    said = run("unpack", tmp_path / "b.medsr", "-o", tmp_path / "opened")
    assert "DICOM has no transfer syntax for avif" in said
    with Pillow.open(tmp_path / "opened" / "b.avif") as picture:
        assert picture.size == (32, 32)
    assert "is an image but no packet" in run("unpack", tmp_path / "opened" / "b.avif", "-o", tmp_path / "c", status=1)
