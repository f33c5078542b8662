"""Reports of duplicates for people to look at: a page in one HTML file, and mosaics."""
