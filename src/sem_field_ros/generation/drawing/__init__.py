"""Draws a HomeScene: exact ground truth, colour by Cycles or a rasteriser, a camera's habits, folders."""
