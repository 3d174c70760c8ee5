"""Depth images from posed colour images: by plane sweep, by a network on its scores, or from a field."""
