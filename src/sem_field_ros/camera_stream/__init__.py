"""Camera messages as plain data on their way to a PosedFrame: decode, pair, wait for the pose, count. No ROS."""
