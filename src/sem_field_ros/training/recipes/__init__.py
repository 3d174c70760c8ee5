"""One file per model: its settings, data, losses and validation."""
