"""Label sets -> vision_msgs/LabelInfo: what the ids in label images and clouds mean."""

from __future__ import annotations

from std_msgs.msg import Header
from vision_msgs.msg import LabelInfo, VisionClass

from sem_field_ros.labels import LabelSet


def label_info_to_msg(labels: LabelSet, header: Header, threshold: float = 0.0) -> LabelInfo:
    """Return the ids and names of a label set; `threshold` is the confidence below which nothing is labelled."""
    classes = [VisionClass(class_id=c.id, class_name=c.name) for c in labels.classes]
    return LabelInfo(header=header, class_map=classes, threshold=float(threshold))


def names_from_msg(msg: LabelInfo) -> dict[int, str]:
    """Return class names by id."""
    return {int(c.class_id): str(c.class_name) for c in msg.class_map}
