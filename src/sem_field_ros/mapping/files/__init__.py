"""Map files: the content of a saved map, written so that a crash cannot damage it."""
