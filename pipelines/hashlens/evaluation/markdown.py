"""The accuracy card as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from hashlens.evaluation.values import LIKE, OURS, Method, Protocol, Rate

if TYPE_CHECKING:
    from hashlens.evaluation.card import Card


def _table(head: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """Return a Markdown table; all columns but the first `words` hold numbers."""
    rule = ["---"] * words + ["---:"] * (len(head) - words)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))


def _head(protocol: Protocol) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in protocol.versions.items())
    return f"`{protocol.command}`\n\n{versions}."


def _asked(card: Card) -> str:
    protocol = card.protocol
    more = f", and those of {', '.join(protocol.distractors)}" if protocol.distractors else ""
    absent = f" and of pictures of {', '.join(protocol.absent)}" if protocol.absent else ""
    slow = [method for method in card.measured() if method.images < protocol.database]
    lines = [
        f"Database: {protocol.database:,} pictures, the {protocol.images:,} of "
        f"{protocol.folder}{more}; {protocol.skipped:,} files cannot be read. Seed "
        f"{protocol.seed}; {protocol.keypoints} keypoints a picture.",
        f"Split: {protocol.split}: {protocol.tuning:,} pictures for tuning, {protocol.scoring:,} "
        "for scoring.",
        f"Queries: {protocol.queries:,} pictures of the scoring half, each after every one of "
        f"{len(card.attacks)} attacks. All methods are given the same JPEG files.",
        f"Others' thresholds: the largest distance with {_whole(protocol.precision)} % precision "
        "on the tuning half over all attacks, where each query counts once with and once without "
        "its original in the database. Ours has no threshold to tune: its own decision counts.",
        "Recall@1 shares ties: several pictures at the same distance count in part. IoU is that of "
        "the place that an accepted crop is said to have and its true one.",
        f"Absent queries: the scoring queries with their original left out{absent}, and drawn "
        "backgrounds. From our index a fifth of the queried originals is really left out at a "
        "time.",
        f"Pictures with the same fingerprint count as the same picture ({protocol.equal:,} look "
        "like another one). Other photographs of one scene do not: where a folder has such, some "
        "false matches may be right.",
        "Drawn, not photographed: the pages of `screenshot`, the other pictures of `collage`, the "
        "text of `text`, the backgrounds. All attacks are synthetic.",
        "Intervals are Wilson's, 95 %. The queries of one picture are alike, so those of several "
        "attacks together are wider in truth.",
        *(
            f"{method.name} is slow, and was asked less: {method.queries} queries of each attack, "
            f"{method.images} pictures. That flatters it."
            for method in slow
        ),
        *(f"Not measured: {', '.join(names)}: {why}." for why, names in _missing(card).items()),
    ]
    return "\n".join(f"- {line}" for line in lines)


def _missing(card: Card) -> dict[str, list[str]]:
    """Return the methods that were not there, by the reason."""
    found: dict[str, list[str]] = {}
    for method in card.methods:
        if method.missing:
            found.setdefault(method.missing, []).append(method.name)
    return found


def _ours(card: Card) -> str:
    head = ["attack", "recall@1", "accepted, right", "accepted, wrong", "IoU", f"IoU ≥ {LIKE}"]
    others = [method.name for method in card.measured() if method.name != OURS]
    rows = []
    for item in card.attacks:
        score = card.score(OURS, item.name)
        row = [
            item.name,
            _percent(score.first.share),
            _range(score.accepted),
            _range(score.wrong),
            "" if score.iou is None else f"{score.iou:.3f}",
            "" if score.boxes is None else _percent(score.boxes.share),
        ]
        if others:
            best = max(
                (card.score(name, item.name) for name in others),
                key=lambda score: (score.accepted.share, score.first.share),
            )
            name = f" ({best.method})" if best.accepted.hits else ""
            row.append(_percent(best.accepted.share) + name)
        rows.append(row)
    return _table(head + ["best other, right"] * bool(others), rows)


def _by_group(card: Card, what: str) -> str:
    names = list(card.groups(OURS))
    rows = [
        [
            method.name,
            *(_whole(rate.share) for rate in card.groups(method.name, what).values()),
        ]
        for method in card.measured()
    ]
    return _table(["method", *names], rows)


def _absent(card: Card) -> str:
    groups = list(dict.fromkeys(item.group for item in card.absences))
    found = {(item.method, item.group): item.false for item in card.absences}
    rows = [
        [method.name, *(_thousand(found.get((method.name, group))) for group in groups)]
        for method in card.measured()
    ]
    return _table(["method", *groups], rows)


def _costs(card: Card) -> str:
    rows = [
        [
            method.name,
            f"{method.query_ms:.1f}",
            f"{method.index_ms:.1f}",
            f"{method.image_bytes:,.0f}",
            _limit(method),
        ]
        for method in card.measured()
    ]
    note = (
        "One thread, from the file on; a query includes the comparison with the whole database. "
        "Bytes of ours are those of the index on disk, of others those of the code alone."
    )
    head = ["method", "ms a query", "ms an indexed picture", "bytes a picture", "threshold"]
    return f"{note}\n\n{_table(head, rows)}"


def _limit(method: Method) -> str:
    if method.name == OURS:
        return ""
    return "none" if method.threshold is None else f"{method.threshold:.4g}"


def _whole(share: float) -> str:
    return f"{100 * share:.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _range(rate: Rate) -> str:
    low, high = rate.interval
    return f"{_percent(rate.share)} ({_percent(low)} to {_percent(high)})"


def _thousand(rate: Rate | None) -> str:
    if rate is None:
        return ""
    low, high = (1000 * end for end in rate.interval)
    return f"{1000 * rate.share:.1f} ({low:.1f} to {high:.1f}), {rate.hits:.0f} of {rate.of:,}"
