"""Topic and node names are written in camera_stream/topics.py and nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

from sem_field_ros.camera_stream import topics

SOURCE = Path(topics.__file__).resolve().parents[1]
PUBLISHED = {
    *(topics.SEMANTIC_CLOUD, topics.SEMANTIC_MESH, topics.LABEL_IMAGE, topics.LABEL_OVERLAY, topics.FRAME_DONE),
    *(topics.FINISHED, topics.PROGRESS),
}
NAMES = {
    *topics.CAMERA_TOPICS.values(),
    *(f"/{topic}" for topic in topics.CAMERA_TOPICS.values()),
    *(topics.TF_TOPIC, topics.TF_STATIC_TOPIC, topics.CLOCK_TOPIC, topics.DIAGNOSTICS_TOPIC),
    *(topics.own(name) for name in PUBLISHED | {topics.LABEL_INFO}),
    *(topics.of_node(topics.MAPPER, name) for name in PUBLISHED | {topics.LABEL_INFO}),
    *(topics.VIEWER, topics.QUERY_POINTS, topics.of_node(topics.MAPPER, topics.QUERY_POINTS)),
    *(topics.MAPPER, topics.PLAYER, topics.RECORDER, topics.SEMANTIC_CLOUD, topics.SEMANTIC_MESH, topics.LABEL_OVERLAY),
}


def test_names_stand_in_one_place() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}: {node.value}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path != Path(topics.__file__).resolve()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in NAMES
    ]
    assert not found


def test_names_by_hand() -> None:
    assert topics.camera_topics("head")[topics.DEPTH] == "head/depth/image_raw"
    assert topics.CAMERA_TOPICS[topics.COLOR] == "camera/color/image_raw"
    assert topics.compressed(topics.COLOR, "a") == "a/compressed"
    assert topics.compressed(topics.DEPTH, "a") == "a/compressedDepth"
    assert topics.own(topics.LABEL_INFO) == "~/label_info"
    assert topics.of_node(topics.MAPPER, topics.SEMANTIC_CLOUD) == "semantic_mapper/semantic_cloud"
