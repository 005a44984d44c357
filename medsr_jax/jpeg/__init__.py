"""JPEG streams (ITU-T T.81) without decoding them to pixels: headers, tables, quantised coefficients. NumPy alone."""
