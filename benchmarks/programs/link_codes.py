"""Link codes to groups; print the seconds of the first call of a process, its imports included.

python link_codes.py CODES.npy LIMIT
"""

import json
import sys
import time

import numpy as np

codes = np.load(sys.argv[1])
began = time.perf_counter()
from hashlens.grouping.linkage import link  # noqa: E402  the import is counted

link(codes, int(sys.argv[2]))
print(json.dumps(time.perf_counter() - began))
