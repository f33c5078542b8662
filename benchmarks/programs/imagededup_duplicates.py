"""Find all duplicates by imagededup; print the seconds and the rows that were queries.

Usage: python imagededup_duplicates.py HASHES.json PAIRS.npy METHOD LIMIT QUERIES

QUERIES is the number of rows that are queries, 0 for all. PAIRS.npy gets row, other row and
distance of each pair found. Runs in imagededup's environment. Imports are not counted.
"""

import json
import logging
import random
import sys
import time
import warnings

import numpy as np

warnings.simplefilter("ignore")
logging.disable(logging.INFO)


def main() -> None:
    """Search, and write."""
    from imagededup.handlers.search.retrieval import HashEval
    from imagededup.methods import PHash

    source, target, method = sys.argv[1:4]
    limit, asked = map(int, sys.argv[4:])
    with open(source) as file:
        texts = json.load(file)
    hashes = {str(row): text for row, text in enumerate(texts)}
    queries = sorted(random.Random(0).sample(range(len(texts)), asked or len(texts)))
    hasher = PHash(verbose=False)
    began = time.perf_counter()
    if asked:
        some = {str(row): texts[row] for row in queries}
        search = HashEval(hashes, some, hasher.hamming_distance, False, limit, method)
        found = search.retrieve_results(scores=True)
    else:
        found = hasher.find_duplicates(
            encoding_map=hashes, max_distance_threshold=limit, scores=True, search_method=method
        )
    seconds = time.perf_counter() - began
    pairs = [
        (int(row), int(other), distance) for row, near in found.items() for other, distance in near
    ]
    np.save(target, np.array(pairs, np.int64).reshape(-1, 3))
    print(json.dumps([seconds, queries]))


if __name__ == "__main__":
    main()
