"""Furnished homes to be drawn: Sweet Home 3D's example homes, refurnished, lit, with a camera's way through them."""
