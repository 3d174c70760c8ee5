"""Node `sequence_player`: plays a recorded sequence as camera topics, TF and /clock."""
