"""From near pairs to groups, their keepers, and what a person decided."""
