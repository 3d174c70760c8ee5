"""Node `semantic_mapper`: colour, depth and TF in, a live semantic map out."""
