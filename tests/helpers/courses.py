"""What happens to a collection: a plan, edits of it, troubles and crashes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hypothesis import strategies as st

from albums import FOLDERS, TROUBLES, entries
from hashlens.cleanup.actions import ACTIONS

NEVER = 10**9
EDITS = ("remove", "keep", "exchange", "act", "other keeper", "turn", "crlf", "bom")
NUMBERS = st.integers(0, 20)
STOPS = st.one_of(st.just(NEVER), st.integers(1, 60), st.integers(1, 300))


@dataclass(frozen=True)
class Course:
    """What happens to a collection."""

    entries: list
    alias: bool
    second: bool | None
    action: str
    ending: str
    to: str
    options: dict
    edits: list
    troubles: list
    links: str
    stop: int
    way: str
    undo_stop: int


def courses(contents, seconds):
    """Draw what happens to a collection of some contents."""
    options = {
        "backup": st.sampled_from([False, False, True]),
        "protect": st.sampled_from([None] * 6 + [*FOLDERS[1:]]),
        "hard_links": st.booleans(),
        "partners": st.sampled_from([True, True, False]),
    }
    return st.builds(
        Course,
        entries=entries(contents),
        alias=st.booleans(),
        second=st.sampled_from(seconds),
        action=st.sampled_from(ACTIONS),
        ending=st.sampled_from(["jsonl", "csv"]),
        to=st.sampled_from(["to", "to", "photos/a/to", "photos/b"]),
        options=st.fixed_dictionaries(options),
        edits=st.lists(st.tuples(st.sampled_from(EDITS), NUMBERS, NUMBERS), max_size=3),
        troubles=st.lists(st.tuples(st.sampled_from(TROUBLES), NUMBERS, NUMBERS), max_size=2),
        links=st.sampled_from(["all", "none", "apart"]),
        stop=STOPS,
        way=st.sampled_from(["resume", "undo"]),
        undo_stop=STOPS,
    )


@dataclass(frozen=True)
class Terms:
    """How pictures are grouped: terms of `ImageIndex.groups`, and decisions by numbers of paths."""

    keep: str
    linkage: str
    not_same_folder: bool
    between: bool
    decisions: list


TERMS = st.builds(
    Terms,
    keep=st.sampled_from(["pixels,bytes", "newest", "oldest", "path", "folder={}"]),
    linkage=st.sampled_from(["complete", "connected"]),
    not_same_folder=st.booleans(),
    between=st.booleans(),
    decisions=st.lists(
        st.tuples(NUMBERS, NUMBERS, st.sampled_from(["not-duplicate", "keep-both"])), max_size=2
    ),
)


def edited(steps, edit, one, other, action):
    """Change the lines of a plan as a person may."""
    if not steps:
        return
    step = steps[one]
    group = [n for n, item in enumerate(steps) if item.group == step.group]
    second = group[other % len(group)]
    if edit == "remove":
        del steps[one]
    elif edit == "keep":
        steps[one] = replace(step, action="keep")
    elif edit == "act":
        steps[one] = replace(step, action=action)
    elif edit == "exchange":
        steps[one] = replace(step, action=steps[second].action)
        steps[second] = replace(steps[second], action=step.action)
    elif edit == "other keeper":
        keeper = steps[second]
        steps[one] = replace(step, keeper=keeper.path, keeper_digest=keeper.digest)
    elif edit == "turn":
        steps[:] = steps[one:] + steps[:one]
