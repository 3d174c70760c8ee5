"""Keyframes, label fusion over the K best views, the semantic map and its files."""
