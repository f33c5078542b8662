"""The actions of a plan: its steps, which of them take a file away, and where a file goes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from hashlens.model import Skipped

# What a plan may do with duplicates.
ACTIONS = ("move", "quarantine", "hardlink", "symlink", "copy-keepers", "delete")
# Actions after which the file is not at its path any more.
REMOVAL_ACTIONS = ("move", "quarantine", "hardlink", "symlink", "delete")
LINK_ACTIONS = ("hardlink", "symlink")
MOVES = ("move", "quarantine")
DEFAULT_ACTION = "quarantine"
PARTNER = "partner"  # does what the picture does to which the file belongs


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a plan: what is to be done with one file.

    group: number of the group in the plan, from 1.
    action: `keep` (nothing), `copy`, `move`, `quarantine`, `hardlink`, `symlink` or `delete`; or
        `partner`: the file goes where its picture goes, or stays with it.
    path: the file.
    to: the new path of the file. For `hardlink` and `symlink`, the path to which the replaced file
        goes; "" if its bytes are those of the keeper.
    digest: SHA-256 of the file, in hex.
    bytes: size of the file.
    keeper: the file that is kept; it must be there when anything happens to the file. Of a partner:
        the picture to which it belongs.
    keeper_digest: SHA-256 of the keeper, in hex.
    distance: between the fingerprints of file and keeper.
    reason: why the action was chosen, in words.
    turn: the turn after which the picture looks like the keeper, as in `Member`.
    """

    group: int
    action: str
    path: str
    to: str = ""
    digest: str = ""
    bytes: int = 0
    keeper: str = ""
    keeper_digest: str = ""
    distance: float = 0.0
    reason: str = ""
    turn: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What carrying out a plan, or undoing it, has done.

    done: steps that were done in this run.
    earlier: steps that an earlier run had done.
    bytes: disk space that was freed.
    skipped: files that were left alone, each with its reason.
    journal: path of the journal, from which the plan can be undone.
    went: the number of files that went to each folder in this run.
    """

    done: int = 0
    earlier: int = 0
    bytes: int = 0
    skipped: tuple[Skipped, ...] = ()
    journal: str = ""
    went: Mapping[str, int] = field(default_factory=dict)


def target(action: str, folder: str, path: str) -> str:
    """Return where an action puts a file: `move` into the folder, others with its whole path."""
    return os.path.join(folder, os.path.basename(path)) if action == "move" else below(folder, path)


def default_folder(action: str, index: str) -> str | None:
    """Return where the files of a plan go if nobody says it, by the directory of the index.

    A quarantine lies beside the index; for other actions, and without an index, there is None.
    """
    return f"{index}-quarantine" if action == "quarantine" and index else None


def below(folder: str, path: str) -> str:
    """Return the whole path of a file, moved below a folder."""
    return os.path.join(folder, os.path.splitdrive(path)[1].lstrip(os.sep))


def top_folder(step: Step) -> str:
    """Return the folder `--to` of a step, which indexing should pass over; "" for a flat copy."""
    folder = os.path.dirname(step.to)
    tree = os.path.splitdrive(os.path.dirname(step.path))[1].strip(os.sep)
    is_tree = bool(tree) and folder.endswith(os.sep + tree)
    if step.action == "move" or not is_tree:
        return "" if step.action == "copy" else folder
    return folder[: -len(tree) - 1] or os.sep
