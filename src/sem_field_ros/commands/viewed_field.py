"""A field that is encoded from a recorded sequence, beside the map of the same frames, for the page without ROS."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sem_field_ros.errors import DataError, FrameError, SegmenterError
from sem_field_ros.frame import PosedFrame, SequenceReader
from sem_field_ros.mapping.mapper import Mapper
from sem_field_ros.mapping.sequence_mapping import read_frames
from sem_field_ros.mapping.submaps import Submaps
from sem_field_ros.scene import OnlineView
from sem_field_ros.viewer.files import ViewedFile, view_map
from sem_field_ros.viewer.scene_views import SceneViews


def view_field(
    sequence: SequenceReader, mapper: Mapper, scene: OnlineView, note: Callable[[str], object]
) -> ViewedFile:
    """Map a sequence and add its keyframes to a field; views come from the field.

    `mapper` has a segmenter; `note` gets a line for each frame that cannot be used. Raises DataError without any.
    """
    keyframes = 0
    for frame in read_frames(sequence):
        if not isinstance(frame, PosedFrame):
            note(str(frame))
            continue
        try:
            result = mapper.register_frame(frame)
        except (FrameError, SegmenterError) as error:
            note(str(error))
            continue
        if result.mapped is not None and result.probabilities is not None:
            scene.add(result.mapped, result.probabilities)
            keyframes += 1
    if not keyframes:
        raise DataError(f"sequence {sequence.name}: none of its frames could be used")
    shown = view_map(Submaps(mapper, 1), "")
    return replace(shown, ask_view=SceneViews(scene, mapper.map.labels).ask)
