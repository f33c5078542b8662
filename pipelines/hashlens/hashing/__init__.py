"""From pixels to fingerprints, and the metrics between two fingerprints."""
