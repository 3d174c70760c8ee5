"""The web viewer, without ROS: it draws arrays on a page. Nodes and commands feed it."""
