"""Training samples: labelled images, windows of posed views, collected votes, and their augmentation."""
