"""ros2 launch sem_field_ros rgb.launch.py: the semantic mapper on a moving colour camera without depth."""

from sem_field_ros.nodes.launching import launch_description


def generate_launch_description():
    return launch_description("rgb")
