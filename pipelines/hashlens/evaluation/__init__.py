"""The accuracy card: what a search finds of changed pictures, and what it finds wrongly."""
