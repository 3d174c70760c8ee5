"""Prints version, build (cpu or cuda) and place (own or system) of the torch that pip knows of in this environment.

It reads torch/version.py instead of importing torch, which takes seconds and needs the CUDA libraries to be there.
"""

import contextlib
import importlib.metadata
import os
import runpy
import sys

with contextlib.suppress(importlib.metadata.PackageNotFoundError, OSError):
    package = importlib.metadata.distribution("torch")
    file = os.path.realpath(str(package.locate_file("torch/version.py")))
    build = "cuda" if runpy.run_path(file).get("cuda") else "cpu"
    print(package.version, build, "own" if file.startswith(os.path.realpath(sys.prefix) + os.sep) else "system")
