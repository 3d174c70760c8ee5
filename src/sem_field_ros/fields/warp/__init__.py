"""Hand-made field `warp`: the source images, moved into a new camera along their depth images."""
