"""sem_field_ros: neural semantic fields as ROS 2 nodes (semantic clouds, labelled meshes, part labels)."""

__version__ = "0.1.0"
