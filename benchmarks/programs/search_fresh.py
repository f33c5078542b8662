"""Ask a saved index in a fresh process; print the seconds of loading, of two queries, and the way.

python search_fresh.py INDEX QUERY VALUE
"""

import json
import sys
import time
from itertools import pairwise

from txtai import Embeddings

import hashlens.database.sqlite  # noqa: F401  its import is not counted

path, query, value = sys.argv[1:]
times = [time.perf_counter()]
embeddings = Embeddings()
embeddings.load(path)
times.append(time.perf_counter())
for _ in range(2):
    embeddings.search(query, parameters={"q": value})
    times.append(time.perf_counter())
seconds = [after - before for before, after in pairwise(times)]
print(json.dumps([*seconds, embeddings.database.explanation.way]))
