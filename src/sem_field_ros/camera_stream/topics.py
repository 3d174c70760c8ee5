"""The names of streams, topics and nodes: the one place where they are written. Relative names go by the namespace."""

from __future__ import annotations

# Streams: what pairing, bags and the player call the messages of a camera and what comes with them
COLOR, DEPTH, LABELS, CAMERA_INFO = "color", "depth", "labels", "camera_info"
LABEL_INFO, TF, TF_STATIC, CLOCK = "label_info", "tf", "tf_static", "clock"
DEPTH_INFO = "depth_camera_info"  # of a depth camera beside the colour camera

# Topics every ROS system has
TF_TOPIC, TF_STATIC_TOPIC, CLOCK_TOPIC, DIAGNOSTICS_TOPIC = "/tf", "/tf_static", "/clock", "/diagnostics"

# Nodes
MAPPER, PLAYER, RECORDER = "semantic_mapper", "sequence_player", "demo_recorder"
RENDERER = "view_renderer"
VIEWER = "sem_field_viewer"  # as launch files and commands start it

# What the mapper publishes: `~/NAME` in the mapper, `semantic_mapper/NAME` elsewhere
SEMANTIC_CLOUD, SEMANTIC_MESH = "semantic_cloud", "semantic_mesh"
LABEL_IMAGE, LABEL_OVERLAY = "label_image", "label_overlay"  # LABEL_INFO is published beside them
FRAME_DONE = "frame_done"

# The service of the mapper that other nodes call, in the same way
QUERY_POINTS = "query_points"

# The service of the view renderer and the images of its virtual camera, in the same way; LABEL_INFO beside them
RENDER_VIEW = "render_view"
VIEW_COLOR, VIEW_LABELS, VIEW_OVERLAY = "view/image_raw", "view/label_image", "view/label_overlay"
VIEW_DEPTH, VIEW_CAMERA_INFO = "view/depth", "view/camera_info"

# What the player publishes, in the same way
FINISHED, PROGRESS = "finished", "progress"


def camera_topics(prefix: str = "camera") -> dict[str, str]:
    """The topics of a camera by stream: `PREFIX/color/image_raw` and so on."""
    return {
        COLOR: f"{prefix}/color/image_raw",
        CAMERA_INFO: f"{prefix}/color/camera_info",
        DEPTH: f"{prefix}/depth/image_raw",
        LABELS: f"{prefix}/label/image_raw",
        LABEL_INFO: f"{prefix}/label/label_info",
    }


CAMERA_TOPICS = camera_topics()


def compressed(stream: str, topic: str) -> str:
    """The topic beside an image topic that carries its CompressedImages."""
    return f"{topic}/{'compressedDepth' if stream == DEPTH else 'compressed'}"


def camera_info_beside(topic: str) -> str:
    """The CameraInfo topic of an image topic, by ROS's convention: `camera_info` in the same place."""
    for transport in ("/compressed", "/compressedDepth"):
        topic = topic.removesuffix(transport)
    return f"{topic.rpartition('/')[0]}/camera_info"


def own(name: str) -> str:
    """A topic below the name of the node that publishes it: `~/semantic_cloud`."""
    return f"~/{name}"


def of_node(node: str, name: str) -> str:
    """The same topic for everybody else: `semantic_mapper/semantic_cloud`."""
    return f"{node}/{name}"
