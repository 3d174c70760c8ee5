"""ros2 launch sem_field_ros bringup.launch.py: the semantic mapper on a robot's camera topics."""

from sem_field_ros.nodes.launching import launch_description


def generate_launch_description():
    return launch_description("bringup")
