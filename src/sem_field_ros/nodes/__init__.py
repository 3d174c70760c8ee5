"""ROS 2 nodes, a folder each: thin, over a core that never imports ROS. graph.py is the table of what runs together."""
