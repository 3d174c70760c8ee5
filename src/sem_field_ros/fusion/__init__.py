"""Fusions: how the views of a surface voxel become one class distribution. Names: `registry`."""
