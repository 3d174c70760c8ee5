"""MCAP and sqlite3 bags without ROS: reader, writer, choice of topics."""
