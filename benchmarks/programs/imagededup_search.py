"""Search hashes by a handler of imagededup; print the seconds and the number of hits.

Usage: python imagededup_search.py HASHES.json METHOD LIMIT

HASHES.json holds a list of hashes and the rows whose hashes are the queries. Runs in imagededup's
environment. Building the handler is not counted.
"""

import json
import sys
import time

from imagededup.methods import PHash

MODULES = {"BKTree": "bktree", "BruteForceCython": "brute_force_cython"}

path, method, limit = sys.argv[1:]
with open(path) as source:
    texts, queries = json.load(source)
hashes = {str(row): text for row, text in enumerate(texts)}
module = __import__(f"imagededup.handlers.search.{MODULES[method]}", fromlist=[method])
built = getattr(module, method)(hashes, PHash.hamming_distance)
began = time.perf_counter()
hits = sum(len(built.search(texts[row], int(limit))) for row in queries)
print(json.dumps([time.perf_counter() - began, hits]))
