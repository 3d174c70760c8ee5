"""Training: one loop (loop.py) for every model, one recipe a model; runs in a folder that can be resumed exactly."""
