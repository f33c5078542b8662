"""How well changed pictures are found again: attacks, rivals, and the accuracy card."""
