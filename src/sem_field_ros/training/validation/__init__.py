"""Scores of models in training, which choose the best weights and stand on their cards."""
