"""Node `view_renderer`: what a camera would see from a pose where it need not have been."""
