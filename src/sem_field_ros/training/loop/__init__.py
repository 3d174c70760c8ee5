"""The training loop that every model shares: recipe interface, checkpoints, averaging, run folder, processes."""
