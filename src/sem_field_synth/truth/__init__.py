"""True labels drawn by hand: polygons on the frames of a recording, and sequences made with them."""
