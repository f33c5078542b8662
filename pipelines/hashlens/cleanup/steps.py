"""One step: carry it out, find out how far it came, and undo it.

Each function may be interrupted at any moment, and called again. A file that moves has both paths
for a moment, and loses the old one last. So, whenever a crash comes, the file is whole at one of
its paths, and the files on disk show how far the step came.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from contextlib import suppress

from hashlens.cleanup import files
from hashlens.cleanup.files import Looks, RefusedError, TakenError
from hashlens.cleanup.journal import Begun
from hashlens.cleanup.plan_file import LINK_ACTIONS
from hashlens.images.walk import IGNORE
from hashlens.model import Step

MOVES = ("move", "quarantine")
OLD_PATH_IN_USE = "something else is at its old place"


def top_folder(step: Step) -> str:
    """Return the folder `--to` of a step, which indexing should pass over; "" for a flat copy.

    `move` puts files into this folder itself; other actions put them below it with their whole
    paths.
    """
    target = os.path.dirname(step.to)
    tree = os.path.splitdrive(os.path.dirname(step.path))[1].strip(os.sep)
    is_tree = bool(tree) and target.endswith(os.sep + tree)
    if step.action == "move" or not is_tree:
        return "" if step.action == "copy" else target
    return target[: -len(tree) - 1] or os.sep


def do(begun: Begun, status: os.stat_result, *, resumed: bool = False) -> None:
    """Carry out one step. `status` is that of the file, which the caller has verified.

    `resumed` says that an earlier run began the step and was interrupted. Raises RefusedError if
    the file has changed, TakenError if the name of the target is in use, and OSError. Nothing is
    lost then, and `revert` undoes what was done.
    """
    step = begun.step
    remove_leftovers(begun)
    if step.to and not (resumed and _has_arrived(begun)):
        for folder in begun.folders:
            files.make_folder(folder)
        if begun.marker:
            with suppress(FileExistsError):
                files.make_empty(begun.marker)
        temporary = _temporary(step.to, begun)
        if step.action == "copy":
            files.copy(step.path, temporary, step.digest, Looks.of(status))
        else:
            files.stage(step.path, status, temporary, step.digest, Looks.of(status))
        files.publish(temporary, step.to)
    if step.action in LINK_ACTIONS:
        _link(begun, status)
    elif step.action != "copy":
        files.remove_unchanged(step.path, status)


def _has_arrived(begun: Begun) -> bool:
    """Return whether an earlier run has made the target; raises TakenError for another file."""
    step = begun.step
    if files.status_of(step.to) is None:
        return False
    if _is_second(step):
        return True
    msg = f"there is something at {step.to} already"
    raise TakenError(msg)


def _is_second(step: Step) -> bool:
    """Return whether the target holds the bytes of the file, and the file does not need it."""
    return files.holds(step.to, step.digest) and files.survives_removal(step.path, of=step.to)


def _link(begun: Begun, status: os.stat_result) -> None:
    """Replace the file by a link to its keeper; raises RefusedError if either has changed."""
    step = begun.step
    temporary = _temporary(step.path, begun)
    if step.action == "symlink":
        os.symlink(step.keeper, temporary)
    else:
        os.link(os.path.realpath(step.keeper), temporary)
        if os.lstat(temporary).st_ino != begun.inode:
            msg = f"its keeper {step.keeper} {files.CHANGED}"
            raise RefusedError(msg)
    files.replace_unchanged(temporary, step.path, status)


def is_done(begun: Begun) -> bool:
    """Return whether a step that was begun has been carried out to its end."""
    step = begun.step
    if step.action in LINK_ACTIONS:
        return _is_link(begun)
    if step.action == "delete":
        return files.status_of(step.path) is None
    if not files.holds(step.to, step.digest):
        return False
    return step.action == "copy" or not files.holds(step.path, step.digest)


def _is_link(begun: Begun) -> bool:
    """Return whether the path of the file is now the link that the step makes."""
    step = begun.step
    found = files.status_of(step.path)
    if found is None or step.action not in LINK_ACTIONS:
        return False
    if step.action == "symlink":
        return stat.S_ISLNK(found.st_mode) and os.readlink(step.path) == step.keeper
    return found.st_ino == begun.inode and files.holds(step.path, step.keeper_digest)


def revert(begun: Begun, *, finished: bool) -> None:
    """Undo a step, however far it came; do nothing if it is undone already.

    `finished` says that the step is known to have been carried out to its end. Raises RefusedError
    if the step cannot be undone, and OSError.
    """
    remove_leftovers(begun)
    if not finished and _is_untouched(begun):
        return
    if begun.step.action == "copy":
        _remove_copy(begun)
    elif begun.step.action == "delete":
        _require_not_deleted(begun)
    elif begun.step.action in MOVES:
        _move_back(begun)
    else:
        _restore_linked(begun)


def _is_untouched(begun: Begun) -> bool:
    """Return whether nothing is there that the step made, and the file is still at its path."""
    has_target = begun.step.to and files.status_of(begun.step.to)
    return not has_target and files.status_of(begun.step.path) is not None and not _is_link(begun)


def _remove_copy(begun: Begun) -> None:
    """Undo a copy: remove it, if copy and file are unchanged."""
    step = begun.step
    if files.status_of(step.to) is None:
        return
    if not files.holds(step.to, step.digest):
        msg = f"its copy {step.to} was changed"
        raise RefusedError(msg)
    try:
        files.examine(step.path, step.digest, follow=True)
    except RefusedError as error:
        msg = f"its copy {step.to} stays: the file itself is gone or was changed"
        raise RefusedError(msg) from error
    _remove_target(begun)


def _require_not_deleted(begun: Begun) -> None:
    """Raise RefusedError if a file was deleted."""
    if not files.holds(begun.step.path, begun.step.digest):
        msg = "deleted for good"
        raise RefusedError(msg)


def _move_back(begun: Begun) -> None:
    """Undo a move, and restore the file at its old path."""
    step = begun.step
    if files.status_of(step.path) is not None:
        if not files.holds(step.path, step.digest):
            raise RefusedError(OLD_PATH_IN_USE)
        _remove_target(begun)
        return
    temporary = _temporary(step.path, begun)
    status = _stage_back(begun, temporary)
    files.publish(temporary, step.path)
    files.remove_unchanged(step.to, status)


def _restore_linked(begun: Begun) -> None:
    """Undo a link: replace it by the file that was put aside, or by a copy of the keeper."""
    step = begun.step
    found = files.status_of(step.path)
    if found is not None and not _is_link(begun):
        if not files.holds(step.path, step.digest):
            raise RefusedError(OLD_PATH_IN_USE)
        _remove_target(begun)
        return
    temporary = _temporary(step.path, begun)
    if step.to:
        status = _stage_back(begun, temporary)
    else:
        # The link, if it is there, has the keeper's bytes; `copy` verifies them.
        source = step.keeper if found is None else step.path
        _require_source(f"its keeper {step.keeper}", source, step.digest)
        os.makedirs(os.path.dirname(step.path), exist_ok=True)
        files.copy(source, temporary, step.digest, begun.looks)
        status = None
    if found is None:
        files.publish(temporary, step.path)
    else:
        files.replace_unchanged(temporary, step.path, found)
    if status is not None:
        files.remove_unchanged(step.to, status)


def _stage_back(begun: Begun, temporary: str) -> os.stat_result:
    """Stage the file at its target to go back to its path; return its status at the target."""
    step = begun.step
    status = _require_source(f"the file at {step.to}", step.to, step.digest, follow=False)
    os.makedirs(os.path.dirname(step.path), exist_ok=True)
    files.stage(step.to, status, temporary, step.digest, begun.looks)
    return status


def _require_source(name: str, path: str, digest: str, *, follow: bool = True) -> os.stat_result:
    """Return the status of a file with these bytes; raises RefusedError, with its name."""
    try:
        return files.examine(path, digest, follow=follow)
    except RefusedError as error:
        msg = f"{name}: {error}"
        raise RefusedError(msg) from error


def _remove_target(begun: Begun) -> None:
    """Remove the target, if it is the file of the step and the file is at its path, too."""
    step = begun.step
    found = files.status_of(step.to) if step.to else None
    if found and _is_second(step):
        files.remove_unchanged(step.to, found)


def remove_leftovers(begun: Begun) -> None:
    """Remove what a crash has left: temporary files, and an empty file that reserved a name."""
    for path in (begun.step.path, begun.step.to):
        temporary = _temporary(path, begun) if path else ""
        found = files.status_of(temporary) if temporary else None
        if found:
            status = files.status_of(path)
            if status and _is_reserved(status, found):
                files.remove_unchanged(path, status)
            files.discard(temporary)


def _is_reserved(status: os.stat_result, temporary: os.stat_result) -> bool:
    """Return whether a file is the empty one by which `publish` reserves a name."""
    are_files = stat.S_ISREG(status.st_mode) and stat.S_ISREG(temporary.st_mode)
    return are_files and temporary.st_nlink == 1 and status.st_size == 0 < temporary.st_size


def _temporary(path: str, begun: Begun) -> str:
    """Return the path of the temporary file of a step beside a path."""
    return os.path.join(os.path.dirname(path), begun.temporary)


def remove_empty(folders: Collection[str], markers: Collection[str]) -> None:
    """Remove folders that steps made, with their markers, if they hold nothing else."""
    deepest = sorted({*folders, *map(os.path.dirname, markers)}, key=len, reverse=True)
    for folder in deepest:
        marker = os.path.join(folder, IGNORE)
        with suppress(OSError):
            if marker in markers and os.listdir(folder) == [IGNORE]:
                os.unlink(marker)
            if folder in folders:
                os.rmdir(folder)
