"""Image-based rendering: density and colour from what the source views show at every sample of a ray (IBRNet)."""
