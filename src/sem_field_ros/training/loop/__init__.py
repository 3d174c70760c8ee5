"""The training loop that all models share: recipe protocol, checkpoints, moving average, run folder, processes."""
