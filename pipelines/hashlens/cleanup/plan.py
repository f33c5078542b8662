"""A plan: what is to be done with each image of some groups, for people to review and edit."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from hashlens.cleanup.choose import Choices, look
from hashlens.cleanup.journal import is_standing
from hashlens.cleanup.plan_file import FIELDS, LINKS, TAKES, read, write
from hashlens.errors import ParameterError, PlanError
from hashlens.model import ACTIONS, Group, Skipped, Step

if TYPE_CHECKING:
    import pandas as pd

Path = str | os.PathLike[str]


@dataclass(frozen=True)
class Plan:
    """The steps of a plan, in order.

    `skipped` names the files that are left alone, being changed, gone or without a digest; a plan
    that was read from a file names none, but has their lines.
    """

    steps: tuple[Step, ...]
    skipped: tuple[Skipped, ...] = field(default=(), compare=False)

    def save(self, path: Path) -> None:
        """Write the plan to a file .jsonl or .csv, whole or not at all.

        Raises PlanError, and where the file is a plan that was applied: its journal needs it.
        """
        journal = journal_of(os.fspath(path))
        if is_standing(journal):
            msg = f"{os.fspath(path)} was applied, as {journal} tells; undo it, choose another "
            msg += "name, or remove the journal, without which nothing of it can be undone"
            raise PlanError(msg)
        write(os.fspath(path), self.steps)

    @classmethod
    def read(cls, path: Path) -> Plan:
        """Read a plan; raises PlanError, naming file and line, for whatever is none."""
        return cls(tuple(read(os.fspath(path))))

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the steps, in hex, whatever the format of their file."""
        return hashlib.sha256(json.dumps(self.records()).encode()).hexdigest()

    def records(self) -> list[dict[str, Any]]:
        """Return the steps as dicts."""
        return [asdict(step) for step in self.steps]

    def to_pandas(self) -> pd.DataFrame:
        """Return the steps as a data frame; raises ParameterError without pandas."""
        try:
            import pandas as pd  # noqa: PLC0415  half a second, and an extra
        except ImportError as error:
            msg = "a data frame needs pandas: pip install 'hashlens[demo]'"
            raise ParameterError(msg) from error
        return pd.DataFrame(self.records(), columns=list(FIELDS))

    def summary(self) -> dict[str, Any]:
        """Count: `groups`, files to `keep`, `files` and `bytes` by action, bytes `freed`.

        Freed are those of files that are deleted, or replaced by links to equal ones, if they have
        no other name.
        """
        found: dict[str, Any] = {
            "groups": len({step.group for step in self.steps}),
            "keep": sum(step.action == "keep" for step in self.steps),
        }
        for action in ("copy", *TAKES):
            sizes = [step.bytes for step in self.steps if step.action == action]
            if sizes:
                found[action] = {"files": len(sizes), "bytes": sum(sizes)}
        in_place = [step for step in self.steps if step.action in LINKS and not step.to]
        deleted = [step for step in self.steps if step.action == "delete"]
        found["freed"] = sum(step.bytes for step in in_place + deleted)
        return found


def journal_of(plan_path: str) -> str:
    """Return where the journal of a plan is, unless another name is given."""
    return os.path.splitext(plan_path)[0] + ".journal.jsonl"


def make_plan(
    groups: Iterable[Group],
    action: str,
    *,
    to: Path | None = None,
    protect: Iterable[Path] = (),
    backup: Path | None = None,
) -> Plan:
    """Decide what is to be done with each image of groups: one step each, with its reason.

    `move` puts the duplicates into the folder `to`, `quarantine` below it with their whole paths;
    `hardlink` and `symlink` put a link to the keeper in the place of each, and where bytes differ,
    the old file below `to`; `copy-keepers` copies the keepers into `to`; `delete` deletes for
    good. What is below a folder of `protect` is kept. With `backup`, all files that are acted on
    and their keepers are copied below that folder first.

    Raises ParameterError for what cannot work; nothing is changed on disk.
    """
    if action not in ACTIONS:
        msg = f"action must be one of {', '.join(ACTIONS)}, not {action!r}"
        raise ParameterError(msg)
    ordered = sorted(groups, key=lambda group: os.path.abspath(group.keeper.path))
    looked = [[look(member) for member in group.members] for group in ordered]
    choices = Choices(action, _target_folder(action, to), _protected(protect), looked)
    reasons = [group.reason for group in ordered]
    steps = [
        step
        for number, (files, reason) in enumerate(zip(looked, reasons, strict=True), 1)
        for step in choices.of(number, files, reason)
    ]
    if backup is not None:
        steps = [*choices.copies(steps, _folder(backup, "--backup")), *steps]
    skipped = (Skipped(file.path, file.wrong) for files in looked for file in files if file.wrong)
    return Plan(tuple(steps), tuple(skipped))


def _target_folder(action: str, to: Path | None) -> str:
    if to is None:
        if action in ("move", "quarantine", "copy-keepers"):
            msg = f"{action} needs a folder to put files into: --to DIR"
            raise ParameterError(msg)
        return ""
    if action == "delete":
        msg = f"what is deleted goes nowhere: --to {os.fspath(to)} and delete exclude each other"
        raise ParameterError(msg)
    return _folder(to, "--to")


def _folder(given: Path, option: str) -> str:
    path = os.path.abspath(given)
    if not os.fspath(given) or (os.path.lexists(path) and not os.path.isdir(path)):
        msg = f"{option} must be a folder, or the name of a new one, not {os.fspath(given)!r}"
        raise ParameterError(msg)
    return path


def _protected(given: Iterable[Path]) -> list[str]:
    folders = []
    for path in [given] if isinstance(given, (str, os.PathLike)) else given:
        if not os.fspath(path) or not os.path.exists(path):
            msg = f"no such folder can be protected: {os.fspath(path)!r}"
            raise ParameterError(msg)
        folders += [os.path.abspath(path), os.path.realpath(path)]
    return list(dict.fromkeys(folders))
