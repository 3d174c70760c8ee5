"""Cameras, poses, TSDF volumes, ray casting and mesh extraction, without semantics."""
