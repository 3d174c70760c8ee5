"""The QoS profiles in use, by what they carry."""

from __future__ import annotations

from rclpy.qos import QoSDurabilityPolicy, QoSHistoryPolicy, QoSProfile, QoSReliabilityPolicy

SUPPORTED_RELIABILITY = ("best_effort", "reliable")


def image_qos(reliability: str = "best_effort", depth: int = 5) -> QoSProfile:
    """Camera topics. Best-effort subscribers receive from all publishers, reliable ones only from reliable ones."""
    if reliability not in SUPPORTED_RELIABILITY:
        raise ValueError(f"reliability '{reliability}' is not one of {', '.join(SUPPORTED_RELIABILITY)}")
    policy = QoSReliabilityPolicy.RELIABLE if reliability == "reliable" else QoSReliabilityPolicy.BEST_EFFORT
    return QoSProfile(history=QoSHistoryPolicy.KEEP_LAST, depth=depth, reliability=policy)


def latched_qos(depth: int = 1) -> QoSProfile:
    """Maps, meshes, label info: reliable, and late subscribers get the last message."""
    return QoSProfile(
        history=QoSHistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=QoSReliabilityPolicy.RELIABLE,
        durability=QoSDurabilityPolicy.TRANSIENT_LOCAL,
    )


def service_qos(depth: int = 100) -> QoSProfile:
    """Services that take long: so many requests wait instead of the default's 10; further ones would get no answer."""
    return QoSProfile(depth=depth, reliability=QoSReliabilityPolicy.RELIABLE)


def tf_qos() -> QoSProfile:
    """/tf, for publishers and listeners, as tf2_ros has it."""
    return QoSProfile(depth=100, reliability=QoSReliabilityPolicy.RELIABLE)


def tf_static_qos(listener: bool = False) -> QoSProfile:
    """/tf_static: latched. A listener keeps more, since every publisher sends its own last message."""
    return latched_qos(depth=100 if listener else 1)


def clock_qos() -> QoSProfile:
    """/clock, as rclpy's time source subscribes to it."""
    return QoSProfile(depth=1, reliability=QoSReliabilityPolicy.BEST_EFFORT)
