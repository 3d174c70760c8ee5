"""Draws a HomeScene: exact ground truth, colour by Cycles or a rasteriser, camera effects, sequence folders."""
