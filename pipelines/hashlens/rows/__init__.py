"""From files to rows, without an index."""
