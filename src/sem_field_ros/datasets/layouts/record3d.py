"""Reader of Record3D's export: rgbd/0.jpg ... and `metadata` (K column by column, poses qx qy qz qw tx ty tz).

Poses are camera to world with OpenGL axes, y up; the world is turned so that z is up. Depth (rgbd/0.depth) is packed
with LZFSE, which is not read: depth from 16-bit PNG files of the same names in depth/ is, in millimetres.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sem_field_ros.datasets.files.names import numbered_files
from sem_field_ros.datasets.files.text import NS, read_json
from sem_field_ros.datasets.layouts.polycam import T_UP_Z_UP_Y
from sem_field_ros.datasets.layouts.posed_files import PosedFile, PosedFiles
from sem_field_ros.errors import DataError, FrameError
from sem_field_ros.geometry.camera import Intrinsics
from sem_field_ros.geometry.poses import T_OPTICAL_OPENGL, pose_from_quaternion


class Record3DSequence(PosedFiles):
    """An unpacked .r3d file. Raises DataError in one line."""

    layout = "Record3D"

    def __init__(
        self, path: str | Path, label_set: str | None = None, start_s: float = 0.0, duration_s: float | None = None
    ) -> None:
        path = Path(path)
        content = read_json(path / "metadata")
        try:
            K = np.array(content["K"], dtype=np.float64).reshape(3, 3).T
            camera = Intrinsics.from_matrix(K, int(content["w"]), int(content["h"]))
            poses = [
                T_UP_Z_UP_Y @ pose_from_quaternion(np.array(p[4:7]), np.array(p[:4]), f"pose {n}") @ T_OPTICAL_OPENGL
                for n, p in enumerate(content["poses"])
            ]
            step_ns = NS / float(content.get("fps", 60))
        except FrameError as error:
            raise DataError(f"{path / 'metadata'}: {error}") from error
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise DataError(f"{path / 'metadata'}: expected w, h, K, fps and poses ({error!r})") from error
        colors = numbered_files(path / "rgbd", "", (".jpg", ".png"))
        depths = numbered_files(path / "depth", "", (".png",))
        frames = [
            PosedFile(color, depths.get(n), poses[n], camera, round((n + 1) * step_ns))
            for n, color in colors.items()
            if n < len(poses) and (n in depths or not depths)
        ]
        super().__init__(path, frames, start_s, duration_s, missing_files=len(colors) - len(frames))
        if not depths and any((path / "rgbd").glob("*.depth")):
            self.notes.append(
                f"{path}: Record3D's .depth files (LZFSE) are not read: give depth/0.png ..., or convert the recording "
                "to transforms.json; without depth: depth_source: predicted"
            )

    @staticmethod
    def matches(path: Path) -> bool:
        """Whether this folder is such an export."""
        return (path / "metadata").is_file() and (path / "rgbd").is_dir()
