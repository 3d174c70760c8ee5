"""2-D segmenters behind one protocol: a posed frame in, class probabilities out."""
