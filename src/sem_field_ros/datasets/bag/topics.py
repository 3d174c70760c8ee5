"""Chooses the topics of a bag by type and name."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from sem_field_ros.camera_stream.depth_registration import REGISTERED_WORDS
from sem_field_ros.camera_stream.topics import camera_info_beside
from sem_field_ros.errors import DataError

# Message types
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
CAMERA_INFO_TYPE, LABEL_INFO_TYPE = "sensor_msgs/msg/CameraInfo", "vision_msgs/msg/LabelInfo"
TF_TYPE, CLOCK_TYPE = "tf2_msgs/msg/TFMessage", "rosgraph_msgs/msg/Clock"

# Words in topic names, best first; topics with a word of _OTHER carry no colour, depth or ids.
_DEPTH_WORDS = (*REGISTERED_WORDS, "depth")
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
    depths = [wanted.depth] if wanted.depth else _with_word([t for t in free if t not in named], _DEPTH_WORDS)
    free = [t for t in free if "depth" not in t]
    labels = wanted.labels or _best(free, _LABEL_WORDS, images, counts)
    free = [t for t in free if not any(word in t for word in _LABEL_WORDS)]
    colors = [wanted.color] if wanted.color else _with_word(free, _COLOR_WORDS) or (free if len(free) == 1 else [])
    if not colors:
        others = ", ".join(sorted(t for t, k in kinds.items() if "FFMPEGPacket" in k))
        packed = f"; video packets ({others}) are not read: republish them as images" if others else ""
        raise DataError(f"{where} has no colour images; its topics: {', '.join(sorted(kinds)) or 'none'}{packed}")
    color, depth = _best_pair(colors, depths, images, counts)
    infos = [t for t, k in kinds.items() if k == CAMERA_INFO_TYPE]
    info = wanted.camera_info or _sibling(color, infos)
    if not info:
        raise DataError(f"{where} has no camera_info beside {color}; record it too, or name one")
    label_infos = [t for t, k in kinds.items() if k == LABEL_INFO_TYPE]
    label_info = wanted.label_info or (_sibling(labels, label_infos) if labels else "")
    return BagTopics(color, info, depth, labels, label_info)


def other_cameras(chosen: BagTopics, kinds: dict[str, str]) -> list[str]:
    """Raw colour topics with CameraInfos of their own beside the chosen one: of other cameras."""
    images = [topic for topic, kind in kinds.items() if kind == IMAGE and "depth" not in topic]
    colors = [t for t in _with_word(images, _COLOR_WORDS) if not any(word in t for word in (*_OTHER, *_LABEL_WORDS))]
    own = chosen.camera_info
    return sorted(
        t for t in colors if t != chosen.color and camera_info_beside(t) in kinds and camera_info_beside(t) != own
    )


def depth_info(depth: str, kinds: dict[str, str]) -> str:
    """The CameraInfo topic beside a depth topic, empty if there is none."""
    topic = camera_info_beside(depth) if depth else ""
    return topic if kinds.get(topic) == CAMERA_INFO_TYPE else ""


def _with_word(topics: list[str], words: tuple[str, ...]) -> list[str]:
    return [topic for topic in topics if any(word in topic for word in words)]


def _best_pair(colors: list[str], depths: list[str], images: dict[str, str], counts: dict[str, int]) -> tuple[str, str]:
    """Colour and depth of one camera: the best words for colour, then the most common beginning of their names."""
    if not depths:
        return min(colors, key=lambda topic: _rank(topic, _COLOR_WORDS, images, counts)), ""

    def rank(pair: tuple[str, str]) -> tuple[Any, ...]:
        color, depth = pair
        by_color, by_depth = _rank(color, _COLOR_WORDS, images, counts), _rank(depth, _DEPTH_WORDS, images, counts)
        return by_color[0], -_shared_parts(color, depth), by_depth, by_color

    return min(((color, depth) for color in colors for depth in depths), key=rank)


def _best(topics: list[str], words: tuple[str, ...], images: dict[str, str], counts: dict[str, int]) -> str:
    ranked = [_rank(topic, words, images, counts) for topic in _with_word(topics, words)]
    return str(min(ranked)[-1]) if ranked else ""


def _rank(topic: str, words: tuple[str, ...], images: dict[str, str], counts: dict[str, int]) -> tuple[Any, ...]:
    """Best word first; then raw before compressed, then the one with more messages, then the shorter name."""
    word = next((i for i, word in enumerate(words) if word in topic), len(words))
    return word, images.get(topic) != IMAGE, -counts[topic], len(topic), topic


def _sibling(topic: str, others: list[str]) -> str:
    """Of the other topics, the one that shares the most leading parts with a topic."""
    return max(sorted(others), key=lambda other: _shared_parts(topic, other), default="")


def _shared_parts(topic: str, other: str) -> int:
    parts = zip(topic.split("/"), other.split("/"), strict=False)
    return next((i for i, (a, b) in enumerate(parts) if a != b), len(topic))
