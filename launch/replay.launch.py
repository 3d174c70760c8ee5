"""ros2 launch sem_field_ros replay.launch.py path:=SEQ: the semantic mapper on a recorded folder or bag."""

from sem_field_ros.nodes.launching import launch_description


def generate_launch_description():
    return launch_description("replay")
