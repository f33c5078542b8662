"""Groups of images that match each other, which of each to keep, and why."""
