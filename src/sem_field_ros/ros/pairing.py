"""Frame pairing for live topics; it needs no ROS and lives in stream/pairing.py."""

from sem_field_ros.camera_stream.frames import frame_from_bundle
from sem_field_ros.camera_stream.pairing import FrameBundle, FramePairer, stamp_ns_of

__all__ = ["FrameBundle", "FramePairer", "frame_from_bundle", "stamp_ns_of"]
