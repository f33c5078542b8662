"""The actions of a plan: which of them take a file away, and where a file goes."""

from __future__ import annotations

import os

from hashlens.model import Step

# Actions after which the file is not at its path any more.
REMOVAL_ACTIONS = ("move", "quarantine", "hardlink", "symlink", "delete")
LINK_ACTIONS = ("hardlink", "symlink")
MOVES = ("move", "quarantine")
DEFAULT_ACTION = "quarantine"
PARTNER = "partner"  # does what the picture does to which the file belongs


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
