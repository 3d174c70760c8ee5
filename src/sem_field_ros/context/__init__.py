"""Context: corrects fused class probabilities by height above the floor, shape and surroundings."""
