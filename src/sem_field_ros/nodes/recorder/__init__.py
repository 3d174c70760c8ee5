"""Node `demo_recorder`: records what the mapper publishes and writes the result files."""
