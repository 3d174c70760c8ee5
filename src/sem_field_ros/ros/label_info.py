"""LabelSet -> vision_msgs/LabelInfo: what ids in label images and clouds mean. Back: camera_stream/label_info.py."""

from __future__ import annotations

from std_msgs.msg import Header
from vision_msgs.msg import LabelInfo, VisionClass

from sem_field_ros.camera_stream.label_info import names_of
from sem_field_ros.labels import LabelSet


def label_info_to_msg(labels: LabelSet, header: Header, threshold: float = 0.0) -> LabelInfo:
    """Return the ids and names of a label set; `threshold` is the confidence below which nothing is labelled."""
    classes = [VisionClass(class_id=id_, class_name=name) for id_, name in names_of(labels).items()]
    return LabelInfo(header=header, class_map=classes, threshold=float(threshold))
