"""Metrics, map evaluation and benchmark tables."""
