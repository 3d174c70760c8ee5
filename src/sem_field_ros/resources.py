"""Where the package's own files (config/, models/, launch/) are: a checkout, or an installed share folder."""

from __future__ import annotations

from pathlib import Path

from sem_field_ros.errors import SemFieldError

PACKAGE = "sem_field_ros"


def resource_root() -> Path:
    """Return the folder that holds `config/` and `models/`: the checkout, else `share/sem_field_ros`."""
    here = Path(__file__).resolve()
    for parent in here.parents:
        if (parent / "package.xml").is_file() and (parent / "config").is_dir():
            return parent
        share = parent / "share" / PACKAGE
        if share.is_dir():
            return share
    raise SemFieldError(f"{PACKAGE}: neither a checkout nor share/{PACKAGE} found above {here}; reinstall the package")


def resource_path(relative: str) -> Path:
    """Return the path of one shipped file or folder, e.g. `config/labels/scannet20.yaml`.

    Raises SemFieldError where it does not exist.
    """
    path = resource_root() / relative
    if not path.exists() and relative.startswith("samples/"):
        raise SemFieldError(f"{relative} is only in the repository: give a sequence of your own")
    if not path.exists():
        raise SemFieldError(f"shipped file {relative} is missing below {resource_root()}; reinstall the package")
    return path
