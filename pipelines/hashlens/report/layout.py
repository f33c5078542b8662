"""Lay out the pictures of a collection in the plane, so that those that look alike lie together.

>>> layout(["ffd8c0a000000000", "ffd8c0a000000001", "0123456789abcdef"]).shape
(3, 2)

The layout is t-SNE (van der Maaten 2008), in the Barnes-Hut form of scikit-learn. It keeps
neighbours together, as a map of near-duplicates must; distances between far parts of the map, and
its directions, mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hashlens.neighbors import connected, nearest, pack
from hashlens.neighbors.codes import Codes, Ints, whole

Floats = NDArray[np.float64]

MOST = 20_000  # distinct fingerprints laid out by t-SNE, in some 50 seconds
FEWEST = 10  # fingerprints for t-SNE; fewer have no neighbourhoods
PERPLEXITY = 30  # neighbours that t-SNE keeps near each point, about
FAMILY = 16  # near-duplicates differ in at most one of 16 bits
# With several threads, sums depend on which ends first, so a layout could differ from run to run.
# On a machine with other work, one thread takes no longer: several wait for each other.
THREADS = 1
STEPS = 500  # twice as many take twice as long, and bring near-duplicates no nearer
# The least learning rate. scikit-learn's is 50, which throws a few points apart for good; for many
# points it takes a 48th of their number, as here.
STRIDE = 10
START = 1e-4  # standard deviation of the points that t-SNE begins with, as its authors advise
NOISE = 1e-2  # the random part of START


def layout(fingerprints: Sequence[str], *, seed: int = 0) -> Floats:
    """Lay fingerprints out in the plane, so that those that are near each other lie together.

    Fingerprints are hex, all of one length; the result has a point in [0, 1] for each, shape
    (n, 2). Equal fingerprints have the same point. The order of the fingerprints makes no
    difference. A `seed` gives the same layout with the same versions of numpy and scikit-learn on
    the same kind of processor. Of more than MOST distinct fingerprints, MOST are laid out, picked
    by the seed, one of each family of near-duplicates first; the others are put on the nearest of
    these, or beside their family. Raises FingerprintError as `hashlens.neighbors.pack`, and
    ParameterError for a seed that is not a whole number.
    """
    random = np.random.default_rng(whole("seed", seed, 0))
    given = pack(list(fingerprints))
    if not len(given):
        return np.empty((0, 2))
    codes, numbers = np.unique(given, axis=0, return_inverse=True)
    chosen, places = _chosen(codes, max(1, 4 * len(fingerprints[0]) // FAMILY), random)
    points: Floats = _stretched(_mapped(codes[chosen], random))[places[numbers.ravel()]]
    return points


def _chosen(codes: Codes, close: int, random: np.random.Generator) -> tuple[Ints, Ints]:
    """Choose the distinct codes to lay out; return their rows, and for each code its place.

    Its place is the number of the chosen code whose point it gets. Codes within `close` bits of
    each other are a family.
    """
    count = len(codes)
    if count <= MOST:
        return np.arange(count), np.arange(count)
    heads = connected(codes, close).labels
    order = random.permutation(count)
    by_rank = order[np.argsort(heads[order] != order, kind="stable")]
    chosen = np.sort(by_rank[:MOST])
    places = np.full(count, -1)
    places[chosen] = np.arange(len(chosen))
    # A code whose family's head is on the map gets the point of the nearest chosen code; any other
    # gets the point nearest to its head, so that a family that is not on the map stays together.
    seekers = np.where(places[heads] < 0, heads, np.arange(count))
    wanted = seekers[places < 0]
    laid = codes[chosen]
    found = {row: nearest(laid, codes[row], 1).rows[0] for row in np.unique(wanted).tolist()}
    places[places < 0] = [found[row] for row in wanted.tolist()]
    return chosen, places


def _mapped(codes: Codes, random: np.random.Generator) -> Floats:
    """Lay distinct codes out: few by their principal axes, more by t-SNE, which begins there."""
    # Imported before the limit, which holds only for libraries that are loaded already.
    from sklearn.manifold import TSNE  # noqa: PLC0415  takes a second
    from threadpoolctl import threadpool_limits  # noqa: PLC0415  comes with scikit-learn

    with threadpool_limits(THREADS):
        plane = _plane(codes)
        if len(codes) < FEWEST:
            return plane
        start = plane / plane[:, 0].std()
        start = START * (start + NOISE * random.standard_normal(start.shape))
        perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
        tsne = TSNE(
            perplexity=perplexity,
            learning_rate=max(len(codes) / 48, STRIDE),
            max_iter=STEPS,
            metric="precomputed",
            init=start.astype(np.float32),
        )
        points: Floats = tsne.fit_transform(_graph(codes, int(3 * perplexity + 1)))
    return points.astype(np.float64)


def _plane(codes: Codes) -> Floats:
    """Return the two principal components of the bits of codes."""
    raw = np.ascontiguousarray(codes).astype(">u8").view(np.uint8)
    bits = np.unpackbits(raw, axis=1).astype(np.float64)
    centred = bits - bits.mean(axis=0)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, :-3:-1]
    # The sign of an axis is arbitrary: make its largest component positive.
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
    plane: Floats = centred @ (axes * np.sign(largest))
    return plane


def _graph(codes: Codes, count: int) -> Any:
    """Return the distances of each code to itself and its `count` nearest, as a sparse matrix.

    The Euclidean distance of bit vectors is the square root of their Hamming distance. Ties are
    broken by row; scikit-learn's own search breaks them by the number of its threads.
    """
    from scipy.sparse import csr_matrix  # noqa: PLC0415  with scikit-learn only

    size = min(count + 1, len(codes))
    found = [nearest(codes, code, size) for code in codes]
    bits = np.concatenate([each.distances for each in found])
    rows = np.concatenate([each.rows for each in found])
    ends = np.arange(0, len(rows) + 1, size)
    return csr_matrix((np.sqrt(bits, dtype=np.float64), rows, ends), shape=(len(codes), len(codes)))


def _stretched(points: Floats) -> Floats:
    """Return points stretched to [0, 1] on both axes; an axis without extent becomes 0.5."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = high - low
    level = span <= 1e-9 * span.max()
    stretched: Floats = np.where(level, 0.5, (points - low) / np.where(level, 1, span))
    return stretched.clip(0, 1)
