"""Exact neighbours among packed codes: nearest codes, all codes within a distance, joins.

Pure functions on arrays::

    codes = pack(["ffd8c0a000000000", "ffd8c0a000000001"])
    rows, distances = nearest(codes, "ffd8c0a000000003", k=1)
    for pair in pairs(codes, max_distance=8): ...

Every path gives the same as brute force, ties included: (distance, row).
"""

from hashlens.neighbors.codes import pack as pack
from hashlens.neighbors.codes import signs as signs
from hashlens.neighbors.codes import unpack as unpack
from hashlens.neighbors.join import Components as Components
from hashlens.neighbors.join import Pairs as Pairs
from hashlens.neighbors.join import connected as connected
from hashlens.neighbors.join import count_pairs as count_pairs
from hashlens.neighbors.join import pairs as pairs
from hashlens.neighbors.join import pairs_between as pairs_between
from hashlens.neighbors.scan import Found as Found
from hashlens.neighbors.scan import nearest as nearest
from hashlens.neighbors.scan import within as within
