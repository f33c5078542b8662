"""The accuracy card as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hashlens.evaluation.values import (
    MIN_IOU,
    OURS,
    Absence,
    AttackOf,
    Method,
    Protocol,
    Rate,
    Score,
    group_rates,
    measured,
    score_of,
)

_NOTES = (
    "Drawn, not photographed: the pages of `screenshot`, the other pictures of `collage`, the text "
    "of `text`, the backgrounds. All attacks are synthetic.",
    "Intervals are Wilson's, 95 %. The queries of one picture are alike, so those of several "
    "attacks together are wider in truth.",
)


def card_text(
    protocol: Protocol,
    attacks: Sequence[AttackOf],
    methods: Sequence[Method],
    scores: Sequence[Score],
    absences: Sequence[Absence],
    *,
    picture: str = "",
) -> str:
    """Return the card as Markdown; `picture` is the file of the plot, if it is to be shown."""
    present = measured(methods)
    notes = [*_protocol_notes(protocol, len(attacks)), *_NOTES]
    notes += [*_slow_notes(present, protocol), *_missing_notes(methods)]
    parts = [
        "# Accuracy card",
        _heading(protocol),
        f"![Methods by attacks]({picture})" if picture else "",
        "## What was asked",
        "\n".join(f"- {note}" for note in notes),
        "## Ours, by attack",
        _our_table(attacks, present, scores),
        "## All methods, in per cent",
        "Accepted and right, at each method's own threshold:",
        _group_table(attacks, present, scores, "accepted"),
        "Nearest is right (recall@1), whatever its distance:",
        _group_table(attacks, present, scores, "first"),
        "## False matches for 1,000 absent queries",
        _absence_table(present, absences),
        "## Cost",
        _cost_table(present),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(protocol: Protocol) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in protocol.versions.items())
    return f"`{protocol.command}`\n\n{versions}."


def _protocol_notes(protocol: Protocol, attacks: int) -> list[str]:
    """Return what was asked of whom; `attacks` is their number."""
    more = f", and those of {', '.join(protocol.distractors)}" if protocol.distractors else ""
    absent = f" and of pictures of {', '.join(protocol.absent)}" if protocol.absent else ""
    return [
        f"Database: {protocol.database:,} pictures, the {protocol.images:,} of "
        f"{protocol.folder}{more}; {protocol.skipped:,} files cannot be read. Seed "
        f"{protocol.seed}; {protocol.keypoints} keypoints a picture.",
        f"Split: {protocol.split}: {protocol.tuning:,} pictures for tuning, {protocol.scoring:,} "
        "for scoring.",
        f"Queries: {protocol.queries:,} pictures of the scoring half, each after every one of "
        f"{attacks} attacks. All methods are given the same JPEG files.",
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
    ]


def _slow_notes(methods: Iterable[Method], protocol: Protocol) -> list[str]:
    return [
        f"{method.name} is slow, and was asked less: {method.queries} queries of each attack, "
        f"{method.images} pictures. That flatters it."
        for method in methods
        if method.images < protocol.database
    ]


def _missing_notes(methods: Iterable[Method]) -> list[str]:
    """Return a note for each reason why methods were not measured."""
    names: dict[str, list[str]] = {}
    for method in methods:
        if method.missing:
            names.setdefault(method.missing, []).append(method.name)
    return [f"Not measured: {', '.join(some)}: {reason}." for reason, some in names.items()]


def _our_table(
    attacks: Sequence[AttackOf], methods: Sequence[Method], scores: Sequence[Score]
) -> str:
    """Return our scores by attack, and the best of the other methods if there are any."""
    head = ["attack", "recall@1", "accepted, right", "accepted, wrong", "IoU", f"IoU ≥ {MIN_IOU}"]
    others = [method.name for method in methods if method.name != OURS]
    rows = []
    for attack in attacks:
        row = [attack.name, *_our_cells(score_of(scores, OURS, attack.name))]
        if others:
            row.append(_best_cell([score_of(scores, name, attack.name) for name in others]))
        rows.append(row)
    return _table(head + ["best other, right"] * bool(others), rows)


def _our_cells(score: Score) -> list[str]:
    return [
        _percent(score.first.share),
        _range(score.accepted),
        _range(score.wrong),
        "" if score.iou is None else f"{score.iou:.3f}",
        "" if score.boxes is None else _percent(score.boxes.share),
    ]


def _best_cell(scores: Sequence[Score]) -> str:
    best = max(scores, key=lambda score: (score.accepted.share, score.first.share))
    name = f" ({best.method})" if best.accepted.hits else ""
    return _percent(best.accepted.share) + name


def _group_table(
    attacks: Sequence[AttackOf], methods: Sequence[Method], scores: Sequence[Score], what: str
) -> str:
    """Return a rate (first or accepted) of each method for each group of attacks."""
    groups = list(dict.fromkeys(attack.group for attack in attacks))
    rows = []
    for method in methods:
        rates = group_rates(attacks, scores, method.name, what)
        rows.append([method.name, *(_whole(rate.share) for rate in rates.values())])
    return _table(["method", *groups], rows)


def _absence_table(methods: Sequence[Method], absences: Sequence[Absence]) -> str:
    """Return how often each method has a match for each group of absent pictures."""
    groups = list(dict.fromkeys(absence.group for absence in absences))
    rates = {(absence.method, absence.group): absence.false for absence in absences}
    rows = [
        [method.name, *(_thousand(rates.get((method.name, group))) for group in groups)]
        for method in methods
    ]
    return _table(["method", *groups], rows)


def _cost_table(methods: Sequence[Method]) -> str:
    rows = [
        [
            method.name,
            f"{method.query_ms:.1f}",
            f"{method.index_ms:.1f}",
            f"{method.image_bytes:,.0f}",
            _threshold(method),
        ]
        for method in methods
    ]
    note = (
        "One thread, from the file on; a query includes the comparison with the whole database. "
        "Bytes of ours are those of the index on disk, of others those of the code alone."
    )
    head = ["method", "ms a query", "ms an indexed picture", "bytes a picture", "threshold"]
    return f"{note}\n\n{_table(head, rows)}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first hold numbers."""
    rule = ["---"] + ["---:"] * (len(head) - 1)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, rule, *rows))


def _threshold(method: Method) -> str:
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
