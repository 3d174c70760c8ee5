"""Streams of camera messages without ROS: decoding and pairing, for live topics and for bags alike.

Messages are read by their field names (those of sensor_msgs), so rclpy's and rosbags' classes both fit.
"""
