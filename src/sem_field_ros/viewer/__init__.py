"""The web viewer, without ROS: arrays in, a page out. Nodes and commands feed it."""
