"""Cameras, poses, TSDF volumes, ray casting and mesh extraction; knows no semantics."""
