"""Context: corrects fused class probabilities by what the map knows of a room: height, shape, surroundings."""
