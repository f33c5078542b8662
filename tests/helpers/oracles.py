"""Brute force: the rules word for word, against which the fast ways are tested."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from hashlens.grouping.keepers import LOSSLESS, rules


def brute(count, away, limit, *, complete=True, admits=None, apart=()):
    """Group by the rule, word for word; `away` tells the distance of two items."""
    near = sorted((away(a, b), a, b) for a in range(count) for b in range(a + 1, count))
    barred = {frozenset(pair) for pair in np.asarray(apart).tolist()}
    groups = [{item} for item in range(count)]
    for far, a, b in near:
        if far > limit or groups[a] is groups[b] or (admits and not admits(a, b)):
            continue
        cross = [(x, y) for x in groups[a] for y in groups[b]]
        if complete and any(away(x, y) > limit for x, y in cross):
            continue
        if any(frozenset(pair) in barred for pair in cross):
            continue
        joined = groups[a] | groups[b]
        for item in joined:
            groups[item] = joined
    return [min(group) for group in groups]


def _date(image):
    when = datetime(1970, 1, 1) + timedelta(seconds=image.mtime_ns // 10**9)
    return f"{when}.{image.mtime_ns // 10**6 % 1000:03}"


# Of each rule: whether one image is better than another, and what is written of an image.
BETTER = {
    "sound": (lambda a, b: bool(b.damaged) > bool(a.damaged), lambda image: image.damaged),
    "pixels": (lambda a, b: a.width * a.height > b.width * b.height,
               lambda image: f"{image.width}x{image.height}"),
    "lossless": (lambda a, b: (a.format in LOSSLESS) > (b.format in LOSSLESS),
                 lambda image: image.format or "unknown"),
    "bytes": (lambda a, b: a.bytes > b.bytes, lambda image: image.bytes),
    "sharpness": (lambda a, b: len(a.path) > len(b.path), lambda image: f"{len(image.path):.1f}"),
    "newest": (lambda a, b: a.mtime_ns > b.mtime_ns, _date),
    "oldest": (lambda a, b: a.mtime_ns < b.mtime_ns, _date),
    "path": (lambda a, b: a.path < b.path, lambda image: ""),
    "folder": (lambda a, b: a.path.startswith("/a/") > b.path.startswith("/a/"), lambda image: ""),
}  # fmt: skip


def choose(images, names):
    """Return the image to keep and the reason; the longest path is the sharpest picture."""
    left, reasons = list(images), []
    for rule in rules(names):
        files = {image.file_digest for image in left}
        if rule.name == "sharpness" and len(files) == 1 and files != {""}:
            continue
        better, show = BETTER[rule.name]
        best = [image for image in left if not any(better(other, image) for other in left)]
        rest = [image for image in left if image not in best]
        if not rest:
            continue
        second = next(image for image in rest if not any(better(other, image) for other in rest))
        reasons.append(rule.words.format(show(best[0]), show(second)))
        left = best
    return left[0], ", then ".join(reasons)
