"""One index: its directory, writer and readers, search and update."""
