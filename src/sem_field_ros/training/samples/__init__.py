"""Training samples: labelled images, windows of views, votes, and the noise added to them."""
