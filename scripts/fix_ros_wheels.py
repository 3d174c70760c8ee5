"""Repair the CMake exports of the ROS wheels: they name their builder's Python and numpy include folders.

Run with the virtual environment's python after every (re)install of the wheels; doing it twice changes nothing.
"""

from __future__ import annotations

import re
import sys
import sysconfig
from pathlib import Path

import numpy

# e.g. /opt/python/cp311-cp311/include/python3.11 and /opt/python/cp311-cp311/lib/python3.11/site-packages/numpy/...
BUILDER_PYTHON = re.compile(r"/opt/python/[^;\"/]+/include/python[0-9.]+")
BUILDER_NUMPY = re.compile(r"/opt/python/[^;\"]*?/numpy/(?:_core|core)/include")


def repair(prefix: Path) -> int:
    """Rewrite the exports below `prefix`/share and return how many files changed."""
    python_include = sysconfig.get_paths()["include"]
    changed = 0
    for path in prefix.glob("share/*/cmake/*.cmake"):
        text = path.read_text(encoding="utf-8")
        fixed = BUILDER_NUMPY.sub(numpy.get_include(), BUILDER_PYTHON.sub(python_include, text))
        if fixed != text:
            path.write_text(fixed, encoding="utf-8")
            changed += 1
    return changed


if __name__ == "__main__":
    print(f"repaired the include folders of {repair(Path(sys.prefix))} ROS interface packages")
