"""Opens a recorded sequence by its content: a folder, a data set's own layout, or an MCAP or sqlite3 bag."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sem_field_ros.datasets.files.names import is_storage
from sem_field_ros.datasets.folder import FolderSequence
from sem_field_ros.datasets.layouts.arkit_scenes import ArkitScenesSequence
from sem_field_ros.datasets.layouts.colmap import ColmapSequence
from sem_field_ros.datasets.layouts.icl_nuim import IclNuimSequence
from sem_field_ros.datasets.layouts.nice_slam import NiceSlamSequence
from sem_field_ros.datasets.layouts.not_read import advice_on
from sem_field_ros.datasets.layouts.polycam import PolycamSequence
from sem_field_ros.datasets.layouts.posed_files import PosedFiles
from sem_field_ros.datasets.layouts.poses_and_k import PosesAndK
from sem_field_ros.datasets.layouts.record3d import Record3DSequence
from sem_field_ros.datasets.layouts.redwood import RedwoodSequence
from sem_field_ros.datasets.layouts.scannetpp_iphone import ScanNetPPIphone
from sem_field_ros.datasets.layouts.stray_scanner import StrayScannerSequence
from sem_field_ros.datasets.layouts.transforms_json import TransformsJson
from sem_field_ros.datasets.replica import ReplicaSequence
from sem_field_ros.datasets.scannet import ScanNetFrames, ScanNetSens
from sem_field_ros.datasets.scenenn import SceneNNSequence
from sem_field_ros.datasets.seven_scenes import SevenScenesSequence
from sem_field_ros.datasets.stanford_2d3ds import Stanford2D3DSequence
from sem_field_ros.datasets.tum import TumSequence
from sem_field_ros.errors import DataError
from sem_field_ros.frame import SequenceReader

if TYPE_CHECKING:
    from sem_field_ros.datasets.bag.topics import BagTopics

# name -> readers of a data set or layout, tried by content in this order; `NAME:PATH` takes the first that fits, or
# reports what is missing
DATASETS: dict[str, tuple[Any, ...]] = {
    "icl-nuim": (IclNuimSequence,),
    "tum": (TumSequence,),
    "replica": (ReplicaSequence,),
    "nice-slam": (NiceSlamSequence,),
    "7scenes": (SevenScenesSequence,),
    "scenenn": (SceneNNSequence,),
    "redwood": (RedwoodSequence,),
    "2d3ds": (Stanford2D3DSequence,),
    "scannet": (ScanNetFrames, ScanNetSens),
    "scannetpp": (ScanNetPPIphone,),
    "arkitscenes": (ArkitScenesSequence,),
    "stray-scanner": (StrayScannerSequence,),
    "record3d": (Record3DSequence,),
    "polycam": (PolycamSequence,),
    "transforms-json": (TransformsJson,),
    "colmap": (ColmapSequence,),
    "poses-and-k": (PosesAndK,),
}


def is_bag(path: str | Path) -> bool:
    """Whether `path` is a bag: an MCAP, sqlite3 or ROS 1 file, or a folder that holds a bag."""
    path = Path(path)
    if path.is_file():
        return is_storage(path)
    return (path / "metadata.yaml").is_file() or (path.is_dir() and any(is_storage(file) for file in path.iterdir()))


def open_sequence(
    path: str | Path,
    *,
    label_set: str | None = None,
    start_s: float = 0.0,
    duration_s: float | None = None,
    topics: BagTopics | None = None,
    world_frame: str | None = None,
    depth_units_per_m: float | None = None,
) -> SequenceReader:
    """Open a sequence: PATH, or DATASET:PATH (see DATASETS) for a data set's own layout.

    `label_set` names the classes of its label images if the data do not. `topics` and `world_frame` are for bags in
    which they cannot be found automatically. `depth_units_per_m` overrides the unit of 16-bit depth images. Raises
    DataError in one line if there is nothing to read.
    """
    sequence = _opened(path, label_set, start_s, duration_s, topics, world_frame)
    if depth_units_per_m is not None:
        sequence.units_per_m = depth_units_per_m  # type: ignore[attr-defined]
    return sequence


def _opened(
    path: str | Path,
    label_set: str | None,
    start_s: float,
    duration_s: float | None,
    topics: BagTopics | None,
    world_frame: str | None,
) -> SequenceReader:
    kind, _, rest = str(path).partition(":")
    if kind in DATASETS and rest:
        readers = DATASETS[kind]
        reader = next((r for r in readers if Path(rest).exists() and r.matches(Path(rest))), readers[0])
        if issubclass(reader, PosedFiles) and not (Path(rest).exists() and reader.matches(Path(rest))):
            raise DataError(f"{rest}: no recording as of {reader.layout} here (its files: docs/data.md)")
        return cast(SequenceReader, reader(rest, label_set, start_s, duration_s))
    if not Path(path).exists():
        raise DataError(f"sequence {path} does not exist")
    if is_bag(path):
        from sem_field_ros.datasets.bag.reader import BagSequence

        return BagSequence(path, label_set, start_s, duration_s, topics, world_frame)
    for reader in (reader for readers in DATASETS.values() for reader in readers):
        if reader.matches(Path(path)):
            return cast(SequenceReader, reader(path, label_set, start_s, duration_s))
    if (advice := advice_on(Path(path))) is not None:
        raise DataError(f"{path} is {advice} (what is read: docs/data.md)")
    return FolderSequence(path, label_set=label_set, start_s=start_s, duration_s=duration_s)
