"""Group the images of an index and go through all groups; print what was found, and the seconds.

Usage: python group_index.py INDEX LIMIT LINKAGE CHECKED OPTIONS

The seconds are those of five steps: imports, opening, reading, linking, making groups. With a
number CHECKED, all pairs of about that many groups are measured. OPTIONS are more arguments of
`index.groups`, in JSON.
"""

import json
import sys
import time
from itertools import pairwise

times = [time.perf_counter()]
from hashlens import ImageIndex  # noqa: E402  the import is counted

times.append(time.perf_counter())
path, limit, linkage, checked = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
options = json.loads(sys.argv[5])
with ImageIndex.open(path, create=False) as index:
    times.append(time.perf_counter())
    groups = index.groups(limit, linkage=linkage, **options)
    times.append(time.perf_counter())
    count = len(groups)
    times.append(time.perf_counter())
    reasons = members = 0
    for group in groups:
        reasons += bool(group.keeper.path and group.reason)
        members += len(group.members)
    times.append(time.perf_counter())
steps = [after - before for before, after in pairwise(times)]
answer = {"groups": count, "members": members, "reasons": reasons, "steps": steps}
if checked:
    every = [[int(member.fingerprint, 16) for member in group.members] for group in groups]
    small = [codes for codes in every if len(codes) <= 100][:: max(1, count // checked)]
    widest = max((a ^ b).bit_count() for codes in small for a in codes for b in codes)
    answer["widest"] = max(widest, *(group.diameter for group in groups))
print(json.dumps(answer))
