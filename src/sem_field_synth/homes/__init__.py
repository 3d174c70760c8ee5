"""Furnished homes: plans, furniture, finishes, lighting and camera paths."""
