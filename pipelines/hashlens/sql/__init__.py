"""The text of a query, and the class paths of the SQL functions."""

from __future__ import annotations

from hashlens.sql.functions import SQL_FUNCTIONS as SQL_FUNCTIONS
from hashlens.sql.functions import distance as distance
from hashlens.sql.functions import levenshtein as levenshtein
from hashlens.sql.functions import similarity as similarity
