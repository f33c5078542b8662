"""From answers to rates: thresholds of the rivals, scores, and matches of what is not there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf
from statistics import median
from typing import TypeAlias

import numpy as np

from hashlens.evaluation.trial import ABSENT, DRAWN, SCORING, TUNING, Answer, Near, Query
from hashlens.evaluation.values import LIKE, OURS, Absence, FalseMatch, Rate, Score

Answers: TypeAlias = "Sequence[tuple[Query, Answer]]"
Thresholds: TypeAlias = "Mapping[str, float | None]"  # of rivals, by name

PRECISION = 0.99  # at which rivals get their threshold
LEFT_OUT = "original left out"


def thresholds(answers: Answers, rivals: Sequence[str]) -> dict[str, float | None]:
    """Return the threshold of each rival, from the queries of the tuning half."""
    return {name: threshold(_nears(answers, TUNING, name)) for name in rivals}


def threshold(nears: Sequence[Near], precision: float = PRECISION) -> float | None:
    """Return the largest distance at which matches have a precision, None if none has it.

    Each query counts twice: with its own rows in the database, and without.
    """
    events = [(near.nearest, near.right, 1 - near.right) for near in nears]
    events += [(near.other, 0.0, 1.0) for near in nears]
    finite = sorted(event for event in events if event[0] < inf)
    found = np.array(finite).reshape(-1, 3)
    distances, right, wrong = found[:, 0], found[:, 1].cumsum(), found[:, 2].cumsum()
    is_last = np.append(np.diff(distances) > 0, True)[: len(found)]  # of those at one distance
    good = distances[is_last & (right > 0) & (right >= precision * (right + wrong))]
    return float(good.max()) if len(good) else None


def scores(attacks: Sequence[str], answers: Answers, limits: Thresholds) -> Iterator[Score]:
    """Yield the score of each method on each attack, ours first."""
    for name in attacks:
        some = [(query, answer) for query, answer in answers if query.attack == name]
        yield _our_score(name, [a for query, a in some if query.role == SCORING])
        for rival, limit in limits.items():
            yield _rival_score(rival, name, _nears(some, SCORING, rival), limit)


def absences(answers: Answers, limits: Thresholds) -> Iterator[Absence]:
    """Yield how often each method has a match for what is not in the database."""
    for role, group in ((SCORING, LEFT_OUT), (ABSENT, ABSENT), (DRAWN, DRAWN)):
        ours = [answer.ours for query, answer in answers if query.role == role]
        if not ours:
            continue
        yield Absence(OURS, group, Rate(sum(bool(item and item.alone) for item in ours), len(ours)))
        for name, limit in limits.items():
            nears = _nears(answers, role, name)
            false = sum(near.other <= _bound(limit) for near in nears)
            yield Absence(name, group, Rate(false, len(nears)))


def false_matches(answers: Answers) -> Iterator[FalseMatch]:
    """Yield all rows that our index accepted and that are wrong."""
    for query, answer in answers:
        if answer.ours:
            yield from answer.ours.false if query.own else ()  # else they are those of `alone`
            group = LEFT_OUT if query.own else query.role
            for item in answer.ours.alone:
                yield replace(item, group=group)


def _nears(answers: Answers, role: str, rival: str) -> list[Near]:
    return [
        answer.rivals[rival]
        for query, answer in answers
        if query.role == role and rival in answer.rivals
    ]


def _our_score(attack: str, answers: Sequence[Answer]) -> Score:
    found = [answer.ours for answer in answers if answer.ours]
    overlaps = [item.iou for item in found if item.iou is not None]
    return Score(
        OURS,
        attack,
        Rate(sum(item.right for item in found), len(found)),
        Rate(sum(item.right and item.accepted for item in found), len(found)),
        Rate(sum(item.accepted and not item.right for item in found), len(found)),
        Rate(sum(overlap >= LIKE for overlap in overlaps), len(overlaps)) if overlaps else None,
        round(median(overlaps), 4) if overlaps else None,
    )


def _rival_score(rival: str, attack: str, nears: Sequence[Near], limit: float | None) -> Score:
    accepted = [near.right for near in nears if near.nearest <= _bound(limit)]
    count = len(nears)
    return Score(
        rival,
        attack,
        Rate(sum(near.right for near in nears), count),
        Rate(sum(accepted), count),
        Rate(len(accepted) - sum(accepted), count),
    )


def _bound(limit: float | None) -> float:
    return -inf if limit is None else limit
