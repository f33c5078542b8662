"""What a txtai application in YAML names, and its run."""
