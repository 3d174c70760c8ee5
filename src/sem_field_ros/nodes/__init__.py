"""One thin ROS 2 node a file, over a core that never imports ROS."""
