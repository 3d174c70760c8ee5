"""Recordings in the layouts of apps, SLAM systems and reconstruction tools, a reader each."""
