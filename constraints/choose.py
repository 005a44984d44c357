"""Print the constraints file for this Python: the versions that the tests were last run with."""

import pathlib
import sys

name = "py311.txt" if sys.version_info < (3, 12) else "py312.txt"
print(pathlib.Path(__file__).with_name(name))
