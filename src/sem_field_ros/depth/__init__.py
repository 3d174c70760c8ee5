"""Depth images predicted from posed colour images: plane sweep, a network that reads it, and field depth."""
