"""Messages, TF, QoS, parameters and frame pairing: the only place, with nodes/, that imports rclpy."""
