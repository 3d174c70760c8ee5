"""What the fields share: source views, rays, volume rendering, visibility, the window frame."""
