"""Run a command, its output into a file; print its exit code, seconds, CPU seconds and peak memory.

Usage: python launch.py OUTPUT COMMAND …

The command starts from this small process because the peak of a child includes the memory of the
process from which it was forked.
"""

import json
import resource
import subprocess
import sys
import time

with open(sys.argv[1], "wb") as output:
    began = time.perf_counter()
    code = subprocess.run(sys.argv[2:], stdout=output).returncode
    seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
memory = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(json.dumps([code, seconds, used.ru_utime + used.ru_stime, memory]))
