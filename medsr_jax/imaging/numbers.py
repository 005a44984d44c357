"""Numbers as DICOM writes them."""

from __future__ import annotations


def decimal(value: float, *, tolerance: float = 0.0) -> str:
    """A Decimal String (PS3.5 section 6.2): at most 16 characters.

    A number of at most nine digits that lies within one part in 10^12, or within `tolerance`, is taken for
    what was meant, so that scaling forth and back gives the old number and not 0.99999999999. Others keep all
    digits that fit.
    """
    tolerance = max(tolerance, 1e-12 * abs(value))
    if abs(value) <= tolerance:
        return "0"
    longest = "0"
    for digits in range(1, 16):
        text = f"{float(f'{value:.{digits - 1}e}'):.15g}"
        if len(text) <= 16:
            longest = text
            if digits <= 9 and abs(float(text) - value) <= tolerance:
                break
    return longest
