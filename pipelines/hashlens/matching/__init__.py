"""Pictures that show a part of one another: candidates by keypoint codes, verified and located."""

from __future__ import annotations

from hashlens.matching.search import Found as Found
from hashlens.matching.search import Query as Query
from hashlens.matching.search import find as find
from hashlens.matching.table import Table as Table
