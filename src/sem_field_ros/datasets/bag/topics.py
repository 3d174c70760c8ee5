"""Chooses the topics of a bag by type and name."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sem_field_ros.errors import DataError

# Message types
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO_TYPE, LABEL_INFO_TYPE = "sensor_msgs/msg/CameraInfo", "vision_msgs/msg/LabelInfo"
TF_TYPE, CLOCK_TYPE = "tf2_msgs/msg/TFMessage", "rosgraph_msgs/msg/Clock"

# Words in topic names, best first; topics with a word of _OTHER carry no colour, depth or ids.
_DEPTH_WORDS = ("aligned_depth", "depth_registered", "depth_to_color", "depth_to_rgb", "depth")
_LABEL_WORDS = ("label", "semantic", "segment")
_COLOR_WORDS = ("color", "rgb", "left", "image_raw", "image_rect", "image")
_OTHER = ("overlay", "infra", "/ir", "disparity", "confidence", "debug", "theora", "instance", "colored")


@dataclass(frozen=True)
class BagTopics:
    """Topic names by stream (camera_stream/topics.py).

    Empty: the bag has none; as a user's choice: find it by type and name.
    """

    color: str = ""
    camera_info: str = ""
    depth: str = ""
    labels: str = ""
    label_info: str = ""


def find_topics(kinds: dict[str, str], counts: dict[str, int], wanted: BagTopics, where: str) -> BagTopics:
    """Choose the topics by type and name; a user's choices are checked. Raises DataError that lists the topics."""
    for field in fields(wanted):
        topic = getattr(wanted, field.name)
        if topic and topic not in kinds:
            raise DataError(f"{where} has no topic {topic}; it has: {', '.join(sorted(kinds)) or 'none'}")
    images = {t: k for t, k in kinds.items() if k in (IMAGE, COMPRESSED)}
    named = {wanted.color, wanted.depth, wanted.labels}
    free = [t for t in images if t not in named and not any(word in t for word in _OTHER)]
    depth = wanted.depth or _best(free, _DEPTH_WORDS, images, counts)
    free = [t for t in free if "depth" not in t]
    labels = wanted.labels or _best(free, _LABEL_WORDS, images, counts)
    free = [t for t in free if not any(word in t for word in _LABEL_WORDS)]
    color = wanted.color or _best(free, _COLOR_WORDS, images, counts) or (free[0] if len(free) == 1 else "")
    if not color:
        raise DataError(f"{where} has no colour images; its topics: {', '.join(sorted(kinds)) or 'none'}")
    infos = [t for t, k in kinds.items() if k == CAMERA_INFO_TYPE]
    info = wanted.camera_info or _sibling(color, infos)
    if not info:
        raise DataError(f"{where} has no camera_info beside {color}; record it too, or name one")
    label_infos = [t for t, k in kinds.items() if k == LABEL_INFO_TYPE]
    label_info = wanted.label_info or (_sibling(labels, label_infos) if labels else "")
    return BagTopics(color, info, depth, labels, label_info)


def _best(topics: list[str], words: tuple[str, ...], images: dict[str, str], counts: dict[str, int]) -> str:
    """Topic with the best word; then raw before compressed, then the one with more messages, then the shorter name."""
    ranked = [
        (
            next(i for i, word in enumerate(words) if word in topic),
            images[topic] != IMAGE,
            -counts[topic],
            len(topic),
            topic,
        )
        for topic in topics
        if any(word in topic for word in words)
    ]
    return min(ranked)[-1] if ranked else ""


def _sibling(topic: str, others: list[str]) -> str:
    """Of the other topics, the one that shares the most leading parts with a topic."""

    def shared(other: str) -> int:
        parts = zip(topic.split("/"), other.split("/"), strict=False)
        return next((i for i, (a, b) in enumerate(parts) if a != b), len(topic))

    return max(sorted(others), key=shared, default="")
