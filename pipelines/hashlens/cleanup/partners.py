"""The steps of files that belong to pictures: they do what the steps of their pictures do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

from hashlens.cleanup.actions import MOVES, PARTNER, Step
from hashlens.cleanup.files import status_of
from hashlens.images.partners import Folders


def with_partners(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield steps, and after the step of each picture that may move the steps of its partners.

    A partner that also belongs to a picture that stays is kept. A picture is not deleted if a
    partner would be lost with it.
    """
    folders = Folders()
    pictures = {step.path for step in steps}
    changed = {step.group for step in steps if step.action in (*MOVES, "delete")}
    own = {
        step.path: [path for path in folders.partners(step.path) if path not in pictures]
        for step in steps
        if step.group in changed and step.action in ("keep", *MOVES, "delete")
    }
    steps = [_kept_if_lost(step, own) for step in steps]
    leaving = {step.path for step in steps if step.action in (*MOVES, "delete")}
    seen: set[str] = set()
    for step in steps:
        yield step
        for partner in own.get(step.path, ()):
            stays = [path for path in folders.sharers(step.path, partner) if path not in leaving]
            if partner not in seen and not (stays and step.path in leaving):
                seen.add(partner)
                yield _partner_step(partner, step)


def _kept_if_lost(step: Step, own: dict[str, list[str]]) -> Step:
    """Return the step that keeps a picture if its partners would be deleted with it."""
    if step.action == "delete" and own.get(step.path):
        names = ", ".join(map(os.path.basename, own[step.path]))
        reason = f"{names} would be lost with it: move it, or plan without partners"
        return replace(step, action="keep", reason=reason)
    return step


def _partner_step(path: str, picture: Step) -> Step:
    status = status_of(path)
    return Step(
        picture.group,
        PARTNER,
        path,
        bytes=status.st_size if status else 0,
        keeper=picture.path,
        reason=f"belongs to {picture.path}",
    )
