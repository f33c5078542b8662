"""The accuracy card: what a search finds of changed pictures, and what it finds wrongly."""

from __future__ import annotations

from hashlens.evaluation.card import Card as Card
from hashlens.evaluation.run import evaluate as evaluate
