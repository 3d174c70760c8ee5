"""GSNeRF: colour, classes and depth of any view from posed images, guided by a target depth (Chou et al. 2024)."""
