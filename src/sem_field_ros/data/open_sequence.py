"""Opens a recorded sequence by what it is: a folder, or an MCAP or sqlite3 bag."""

from __future__ import annotations

from pathlib import Path

from sem_field_ros.data.folder import FolderSequence
from sem_field_ros.errors import DataError
from sem_field_ros.frame import SequenceReader


def is_bag(path: str | Path) -> bool:
    """Whether `path` is a bag: an .mcap or .db3 file, or a folder with a bag's metadata.yaml."""
    path = Path(path)
    return path.suffix in (".mcap", ".db3") or (path / "metadata.yaml").is_file()


def open_sequence(
    path: str | Path, *, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
) -> SequenceReader:
    """Open a sequence. `label_set` names the classes of its label images where the data does not say.

    Raises DataError in one line where there is nothing to read.
    """
    if not Path(path).exists():
        raise DataError(f"sequence {path} does not exist")
    if is_bag(path):
        from sem_field_ros.data.bag import BagSequence

        return BagSequence(path, label_set=label_set, start_s=start_s, duration_s=duration_s)
    return FolderSequence(path, label_set=label_set, start_s=start_s, duration_s=duration_s)
