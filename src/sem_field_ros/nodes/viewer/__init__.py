"""Node `viewer`: the live map on a web page."""
