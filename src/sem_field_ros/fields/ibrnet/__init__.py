"""Image-based rendering: density and colour from the source views, sampled at every point of a ray (IBRNet)."""
