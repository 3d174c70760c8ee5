"""Result files of a mapping run: PLY, GLB, preview picture, report."""
