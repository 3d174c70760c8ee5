"""Depth of a view from the views around it: plane sweep, and a network that reads its matching scores."""
