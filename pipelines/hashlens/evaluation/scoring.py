"""From answers to rates: thresholds of the rivals, scores, and matches of absent pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from statistics import median
from typing import TypeAlias

import numpy as np

from hashlens.evaluation.entrant import Near
from hashlens.evaluation.query import ABSENT, DRAWN, SCORING, TUNING, TrialQuery
from hashlens.evaluation.trial import Answer
from hashlens.evaluation.values import MIN_IOU, OURS, Absence, FalseMatch, Rate, Score

Answers: TypeAlias = "Sequence[tuple[TrialQuery, Answer]]"
Thresholds: TypeAlias = "Mapping[str, float | None]"  # of rivals, by name

PRECISION = 0.99  # at which rivals get their threshold
LEFT_OUT = "original left out"


def thresholds(answers: Answers, rivals: Sequence[str]) -> dict[str, float | None]:
    """Return the threshold of each rival, from the queries of the tuning half."""
    return {name: threshold(_nears(answers, TUNING, name)) for name in rivals}


def threshold(nears: Sequence[Near], precision: float = PRECISION) -> float | None:
    """Return the largest distance at which matches have a precision; None if there is none.

    Each query counts twice: with its right rows in the database, and without them.
    """
    events = [(near.distance, near.right_share, 1 - near.right_share) for near in nears]
    events += [(near.other_distance, 0.0, 1.0) for near in nears]
    finite = sorted(event for event in events if event[0] < inf)
    table = np.array(finite).reshape(-1, 3)
    distances, right, wrong = table[:, 0], table[:, 1].cumsum(), table[:, 2].cumsum()
    is_last = np.append(np.diff(distances) > 0, True)[: len(table)]  # of those at one distance
    good = distances[is_last & (right > 0) & (right >= precision * (right + wrong))]
    return float(good.max()) if len(good) else None


def scores(attacks: Sequence[str], answers: Answers, limits: Thresholds) -> Iterator[Score]:
    """Yield the score of each method on each attack, ours first."""
    for name in attacks:
        some = [(query, answer) for query, answer in answers if query.attack == name]
        yield _our_score(name, [answer for query, answer in some if query.role == SCORING])
        for rival, limit in limits.items():
            yield _rival_score(rival, name, _nears(some, SCORING, rival), limit)


def absences(answers: Answers, limits: Thresholds) -> Iterator[Absence]:
    """Yield how often each method has a match for pictures that are not in the database."""
    for role, group in ((SCORING, LEFT_OUT), (ABSENT, ABSENT), (DRAWN, DRAWN)):
        ours = [answer.ours for query, answer in answers if query.role == role]
        if not ours:
            continue
        false = sum(bool(answer and answer.absent_matches) for answer in ours)
        yield Absence(OURS, group, Rate(false, len(ours)))
        for name, limit in limits.items():
            nears = _nears(answers, role, name)
            false = sum(_accepts(limit, near.other_distance) for near in nears)
            yield Absence(name, group, Rate(false, len(nears)))


def false_matches(answers: Answers) -> Iterator[FalseMatch]:
    """Yield all rows that our index accepted and that are wrong."""
    for query, answer in answers:
        if answer.ours:
            yield from answer.ours.false_matches
            group = LEFT_OUT if query.role == SCORING else query.role
            for match in answer.ours.absent_matches:
                yield replace(match, group=group)


def _nears(answers: Answers, role: str, rival: str) -> list[Near]:
    return [
        answer.rivals[rival]
        for query, answer in answers
        if query.role == role and rival in answer.rivals
    ]


def _our_score(attack: str, answers: Sequence[Answer]) -> Score:
    ours = [answer.ours for answer in answers if answer.ours]
    overlaps = [answer.iou for answer in ours if answer.iou is not None]
    return Score(
        OURS,
        attack,
        Rate(sum(answer.right for answer in ours), len(ours)),
        Rate(sum(answer.right and answer.accepted for answer in ours), len(ours)),
        Rate(sum(answer.accepted and not answer.right for answer in ours), len(ours)),
        Rate(sum(overlap >= MIN_IOU for overlap in overlaps), len(overlaps)) if overlaps else None,
        round(median(overlaps), 4) if overlaps else None,
    )


def _rival_score(rival: str, attack: str, nears: Sequence[Near], limit: float | None) -> Score:
    accepted = [near.right_share for near in nears if _accepts(limit, near.distance)]
    count = len(nears)
    return Score(
        rival,
        attack,
        Rate(sum(near.right_share for near in nears), count),
        Rate(sum(accepted), count),
        Rate(len(accepted) - sum(accepted), count),
    )


def _accepts(limit: float | None, distance: float) -> bool:
    """Return whether a distance is within a threshold; never without one."""
    return limit is not None and distance <= limit
