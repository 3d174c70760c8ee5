"""Readers, one a file: every one yields PosedFrames."""
