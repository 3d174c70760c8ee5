"""Map files: what a saved map holds and how it is written so that a crash cannot damage it."""
