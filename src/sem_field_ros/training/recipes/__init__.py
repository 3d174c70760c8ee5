"""One file per model: its settings, architecture, loss, validation and card."""
