"""Groups, members and links as records: one form for lists, JSON, the contact sheet and the web.

A record has all fields, in one order; whoever shows it picks fields by name. Names of files are
text in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from hashlens.model import Doubt, Group, Link, Member
from hashlens.names import text_of
from hashlens.schema import SHOWN

# What lists and JSON show of a member.
MEMBER_FIELDS = ("distance", *SHOWN, "format", "turn", "same", "frames", "damaged")
ROW_FIELDS = ("group", "keep", *MEMBER_FIELDS, "diameter", "reason")


def member_record(member: Member, fields: Sequence[str] = MEMBER_FIELDS) -> dict[str, Any]:
    """Return fields of an image by their names, distance first."""
    record = {name: getattr(member, name) for name in fields}
    if "path" in record:
        record["path"] = text_of(member.path)
    return record


def group_record(group: Group, member: Callable[[Member], Any] = member_record) -> dict[str, Any]:
    """Return a group: keeper, reason, diameter, duplicates; `member` gives the form of an image."""
    return {
        "keeper": member(group.keeper),
        "reason": text_of(group.reason),
        "diameter": group.diameter,
        "duplicates": [member(duplicate) for duplicate in group.duplicates],
    }


def link_record(link: Link, member: Callable[[Member], Any] | None = None) -> dict[str, Any]:
    """Return a link: part and whole, by their paths unless `member` gives another form, and place.

    `box`, `fractions` and `outline` lie in the whole, as in `hashlens.model.Place`.
    """
    place = link.place
    return {
        "part": member(link.part) if member else text_of(link.part.path),
        "whole": member(link.whole) if member else text_of(link.whole.path),
        "box": list(place.box),
        "fractions": list(place.fractions),
        "outline": [list(corner) for corner in place.outline],
        "mirrored": place.mirrored,
        "inliers": place.inliers,
        "agreement": place.agreement,
        "correlation": place.correlation,
    }


def doubt_record(doubt: Doubt, member: Callable[[str], Any] = text_of) -> dict[str, Any]:
    """Return a pair that a second look has parted; `member` gives the form of a path."""
    return {
        "first": member(doubt.first),
        "second": member(doubt.second),
        "distance": doubt.distance,
        "reason": text_of(doubt.reason),
    }


def group_rows(groups: Iterable[Group]) -> Iterator[dict[str, Any]]:
    """Yield a record with ROW_FIELDS for each image of numbered groups, keepers with the reason."""
    for number, group in enumerate(groups, 1):
        for member in group.members:
            is_keeper = member is group.keeper
            yield {
                "group": number,
                "keep": is_keeper,
                **member_record(member),
                "diameter": group.diameter,
                "reason": text_of(group.reason) if is_keeper else "",
            }


def picked(record: Mapping[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """Return the fields of a record with these names, in the order of the names."""
    return {name: record[name] for name in fields}
