"""Readers of recorded sequences and objects, one file per format; every sequence reader yields PosedFrames."""
