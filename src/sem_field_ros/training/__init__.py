"""Training: one loop for all models (loop/), one recipe per model (recipes/), data (samples/), scores (validation/)."""
