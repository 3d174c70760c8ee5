"""Fusions: how the views of a surface voxel become one class distribution. `registry` names them all."""
