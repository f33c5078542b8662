"""Groups, members and links have one form as records, and each door picks its fields by name."""

from __future__ import annotations

from hashlens import Group, Link, Member, Place
from hashlens.report.records import (
    MEMBER_FIELDS,
    ROW_FIELDS,
    group_record,
    group_rows,
    link_record,
    member_record,
    picked,
)

KEPT = Member("a", "/a.png", "0f", width=4, height=3, bytes=9, format="PNG")
OTHER = Member("b", "/b.jpg", "0e", distance=1, width=2, height=3, bytes=5, format="JPEG")
GROUP = Group((KEPT, OTHER), 1, "most pixels (4x3 over 2x3)")
PLACE = Place(
    box=(0, 0, 2, 3),
    fractions=(0.0, 0.0, 0.5, 1.0),
    outline=((0.0, 0.0), (2.0, 0.0), (2.0, 3.0), (0.0, 3.0)),
    transform=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    inliers=7,
    correlation=0.9,
    agreement=0.8,
    mirrored=False,
)


def test_a_group_holds_its_members_in_the_form_asked_for():
    assert group_record(GROUP) == {
        "keeper": dict(
            zip(MEMBER_FIELDS, (0, "/a.png", 4, 3, 9, "PNG", "", "", 1, ""), strict=True)
        ),
        "reason": "most pixels (4x3 over 2x3)",
        "diameter": 1,
        "duplicates": [
            dict(zip(MEMBER_FIELDS, (1, "/b.jpg", 2, 3, 5, "JPEG", "", "", 1, ""), strict=True))
        ],
    }
    assert list(group_record(GROUP)) == ["keeper", "reason", "diameter", "duplicates"]
    short = group_record(GROUP, lambda member: member.id)
    assert (short["keeper"], short["duplicates"]) == ("a", ["b"])


def test_fields_of_a_member_are_picked_by_name():
    assert member_record(OTHER, ("path", "file_digest")) == {"path": "/b.jpg", "file_digest": ""}


def test_a_link_holds_all_that_is_known_of_the_place():
    record = link_record(Link(OTHER, KEPT, PLACE))
    assert list(record) == [
        *("part", "whole", "box", "fractions", "outline"),
        *("mirrored", "inliers", "agreement", "correlation"),
    ]
    assert (record["part"], record["whole"], record["box"]) == ("/b.jpg", "/a.png", [0, 0, 2, 3])
    assert link_record(Link(OTHER, KEPT, PLACE), lambda member: member.id)["part"] == "b"


def test_rows_are_numbered_and_the_keeper_has_the_reason():
    rows = list(group_rows([GROUP, GROUP]))
    assert [tuple(row) for row in rows] == [ROW_FIELDS] * 4
    assert [(row["group"], row["keep"], row["reason"] != "") for row in rows] == [
        (1, True, True),
        (1, False, False),
        (2, True, True),
        (2, False, False),
    ]


def test_names_give_fields_and_their_order():
    assert list(picked({"a": 1, "b": 2, "c": 3}, ("c", "a")).items()) == [("c", 3), ("a", 1)]
