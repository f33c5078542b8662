"""Frozen values, made one by one or many at once."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError, replace

import pytest

from hashlens import Group, Member
from hashlens.grouping.many import many

FACTS = {"fingerprint": "0f", "distance": 3, "width": 4, "height": 5, "bytes": 6}
REST = {"mtime_ns": 7, "format": "PNG", "information": 2.5, "file_digest": "ab", "sharpness": None}
REST |= {"frames": 2, "damaged": "", "same": "bytes", "turn": "mirrored"}


def test_values_that_are_made_at_once_are_those_of_the_constructor():
    wanted = [Member(id=uid, path=f"/{uid}", **FACTS, **REST) for uid in "abc"]
    columns = {name: [value] * 3 for name, value in (FACTS | REST).items()}
    made = many(Member, 3, id="abc", path=["/a", "/b", "/c"], **columns)
    assert made == wanted
    assert list(map(repr, made)) == list(map(repr, wanted))
    assert list(map(hash, made)) == list(map(hash, wanted))
    assert pickle.loads(pickle.dumps(made)) == wanted  # noqa: S301  our own
    assert replace(made[0], width=9) == replace(wanted[0], width=9)
    with pytest.raises(FrozenInstanceError):
        made[0].width = 9
    groups = many(Group, 1, members=[tuple(made)], diameter=[3], reason=["first by path"])
    assert groups == [Group(tuple(wanted), 3, "first by path")]


def test_each_field_has_a_column():
    with pytest.raises(TypeError, match="Group has the fields members, diameter, reason, not di"):
        many(Group, 1, diameter=[3], reason=[""])


def test_no_values_are_made_of_empty_columns():
    assert many(Group, 0, members=[], diameter=[], reason=[]) == []
