"""Errors are one line of path, problem and remedy, and survive the way between processes."""

from __future__ import annotations

import pathlib
import pickle

import pytest

from medsr_jax.errors import MedsrError, MissingPart, ParameterError, UsageError, concerning, first_line


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (MedsrError("is bad"), "is bad"),
        (MedsrError("is bad", path="a.png"), "a.png: is bad"),
        (MedsrError("is\n  bad", path=pathlib.Path("d/a.png"), remedy="save it anew"), "d/a.png: is bad; save it anew"),
        (ParameterError("max_bytes", "must be at least 1, not 0"), "max_bytes: must be at least 1, not 0"),
        (
            MissingPart("jax", extra="restore", what="medsr restore"),
            "medsr restore needs JAX; install it with: pip install 'medsr-jax[restore]'",
        ),
    ],
)
def test_text_is_one_line_and_survives_pickling(error: MedsrError, text: str) -> None:
    assert str(error) == text
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), vars(again)) == (type(error), text, vars(error))


def test_kinds_are_those_that_callers_expect() -> None:
    assert isinstance(ParameterError("scale", "must"), UsageError | ValueError)
    assert isinstance(MissingPart("jax", extra="restore", what="it"), ImportError)


def test_concerning_gives_a_path_to_errors_that_have_none() -> None:
    with pytest.raises(MedsrError, match=r"^outer: is bad$"), concerning("outer"), concerning(""):
        raise MedsrError("is bad")
    with pytest.raises(MedsrError, match=r"^inner: is bad$"), concerning("outer"):
        raise MedsrError("is bad", path="inner")
    with pytest.raises(OSError, match="disk"), concerning("outer"):
        raise OSError("disk")


@pytest.mark.parametrize(
    ("error", "line"),
    [(ValueError("one\ntwo"), "one"), (ValueError(), "ValueError"), (ValueError("  "), "ValueError")],
)
def test_first_line_of_other_libraries_messages(error: Exception, line: str) -> None:
    assert first_line(error) == line
    assert first_line(ValueError("x" * 500)) == "x" * 200
