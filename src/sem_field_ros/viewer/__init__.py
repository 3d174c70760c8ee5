"""The web viewer without ROS: arrays in, a page out. nodes/viewer.py feeds it from topics, `sem-field view` from files."""
