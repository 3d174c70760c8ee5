"""Messages, TF, QoS, parameters, the camera input: the only place, with nodes/, that imports rclpy."""
