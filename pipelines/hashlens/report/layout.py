"""Where the pictures of a collection lie on its map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hashlens.neighbors import connected, nearest, pack
from hashlens.neighbors.codes import Codes, Ints, whole
from hashlens.report.map import Floats

MOST = 20_000  # distinct fingerprints that are laid out by t-SNE, in some 50 seconds
FEWEST = 10  # from which on there are neighbours to speak of
PERPLEXITY = 30  # neighbours, about, that each wants to be near
FAMILY = 16  # bits of a fingerprint of which one may differ among near-duplicates
# Threads of t-SNE add up in whichever order they end, and a layout might differ from run to run.
# On a machine with other work, one takes no longer than several, which wait for each other.
THREADS = 1
STEPS = 500  # twice as many take twice as long, and bring near-duplicates no nearer
# Of steps as long as scikit-learn's least, 50, a few points are thrown apart and stay so. Of many,
# a 48th of their number is its own choice.
STRIDE = 10
START = 1e-4  # how far apart the points are from which t-SNE begins, as its authors have it
NOISE = 1e-2  # the part of that which is random


def layout(fingerprints: Sequence[str], *, seed: int = 0) -> Floats:
    """Lay fingerprints out in the plane, so that those that are near each other lie together.

    They are hex, all of one length; the result has a point for each, shape (n, 2), in [0, 1]. Equal
    fingerprints have one and the same point. The order of the fingerprints makes no difference, and
    a `seed` gives one layout, with the same versions of numpy and scikit-learn on the same kind of
    processor. Of more than MOST distinct fingerprints, so many are laid out, one of each family of
    near-duplicates first, picked by the seed; each other is put on the nearest of these, or where
    its family is. Raises FingerprintError as `hashlens.neighbors.pack`, and ParameterError for a
    seed that is no whole number.
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
    """Choose which of distinct codes are laid out; say for each code which of these it goes with.

    Codes hang together in families by pairs so `close`, in bits.
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
    # What has its family's head on the map looks for its own nearest there, others for the head's:
    # a family that is not on the map stays together.
    asked = np.where(places[heads] < 0, heads, np.arange(count))
    wanted = asked[places < 0]
    laid = codes[chosen]
    found = {row: nearest(laid, codes[row], 1).rows[0] for row in np.unique(wanted).tolist()}
    places[places < 0] = [found[row] for row in wanted.tolist()]
    return chosen, places


def _mapped(codes: Codes, random: np.random.Generator) -> Floats:
    """Lay distinct codes out: few by their principal axes, more by t-SNE, which begins there."""
    # Both before the limit, which holds for libraries that are loaded already.
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
    # An axis has no direction of its own: the largest part of it is to be positive.
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=0)[None], axis=0)
    plane: Floats = centred @ (axes * np.sign(largest))
    return plane


def _graph(codes: Codes, count: int) -> Any:
    """Return the distances of each code to itself and its `count` nearest, as a sparse matrix.

    Of vectors with the bits for coordinates, the Euclidean distance is the root of the Hamming one.
    scikit-learn's own search breaks ties by the number of its threads, and this one by row.
    """
    from scipy.sparse import csr_matrix  # noqa: PLC0415  with scikit-learn only

    size = min(count + 1, len(codes))
    found = [nearest(codes, code, size) for code in codes]
    bits = np.concatenate([each.distances for each in found])
    rows = np.concatenate([each.rows for each in found])
    ends = np.arange(0, len(rows) + 1, size)
    return csr_matrix((np.sqrt(bits, dtype=np.float64), rows, ends), shape=(len(codes), len(codes)))


def _stretched(points: Floats) -> Floats:
    """Return points that reach from 0 to 1 on both axes; where all are level, that is 0.5."""
    low, high = points.min(axis=0), points.max(axis=0)
    span = high - low
    level = span <= 1e-9 * span.max()
    stretched: Floats = np.where(level, 0.5, (points - low) / np.where(level, 1, span))
    return stretched.clip(0, 1)
