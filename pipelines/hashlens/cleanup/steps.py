"""One step: do it, find out how far it came, go back. Each may be cut short anywhere, and repeated.

A file that moves has both places for a moment, and loses the old one last. So whatever moment a
crash comes at, the file is whole at one of them, and what is there tells how to go on.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from contextlib import suppress

from hashlens.cleanup import files
from hashlens.cleanup.files import Looks, RefusedError, TakenError
from hashlens.cleanup.journal import Begun
from hashlens.cleanup.plan_file import LINKS
from hashlens.images.walk import IGNORE
from hashlens.model import Step

MOVES = ("move", "quarantine")
AT_OLD_PLACE = "something else is at its old place"


def top_folder(step: Step) -> str:
    """Return the folder that was given for what is put aside; "" where copies are to be found.

    Below it is the whole path of the file's folder, but for a move, which is flat.
    """
    target = os.path.dirname(step.to)
    tree = os.path.splitdrive(os.path.dirname(step.path))[1].strip(os.sep)
    is_tree = bool(tree) and target.endswith(os.sep + tree)
    if step.action == "move" or not is_tree:
        return "" if step.action == "copy" else target
    return target[: -len(tree) - 1] or os.sep


def do(begun: Begun, status: os.stat_result, *, again: bool = False) -> None:
    """Do a step to a file of that status, of which everything was verified.

    With `again`, a run before this has begun with it and was cut short. Raises RefusedError where
    the file is not so any more, TakenError where the target's name is in use by now, and OSError.
    Nothing is lost then, and `revert` goes back.
    """
    step = begun.step
    clear(begun)
    if step.to and not (again and _has_arrived(begun)):
        for folder in begun.folders:
            files.make_folder(folder)
        if begun.marker:
            with suppress(FileExistsError):
                files.make_empty(begun.marker)
        temporary = _beside(step.to, begun)
        if step.action == "copy":
            files.copy(step.path, temporary, step.digest, Looks.of(status))
        else:
            files.stage(step.path, status, temporary, step.digest, Looks.of(status))
        files.publish(temporary, step.to)
    if step.action in LINKS:
        _link(begun, status)
    elif step.action != "copy":
        files.remove(step.path, status)


def _has_arrived(begun: Begun) -> bool:
    """Tell whether the target is there already, made by a run that was cut short."""
    step = begun.step
    if files.status_of(step.to) is None:
        return False
    if files.holds(step.to, step.digest) and files.is_apart(step.to, step.path):
        return True
    msg = f"there is something at {step.to} already"
    raise TakenError(msg)


def _link(begun: Begun, status: os.stat_result) -> None:
    step = begun.step
    temporary = _beside(step.path, begun)
    if step.action == "symlink":
        os.symlink(step.keeper, temporary)
    else:
        os.link(os.path.realpath(step.keeper), temporary)
        if os.lstat(temporary).st_ino != begun.inode:
            msg = f"its keeper {step.keeper} {files.CHANGED}"
            raise RefusedError(msg)
    files.replace(temporary, step.path, status)


def is_done(begun: Begun) -> bool:
    """Tell whether a step that was begun came to its end."""
    step = begun.step
    if step.action in LINKS:
        return _is_link(begun)
    if step.action == "delete":
        return files.status_of(step.path) is None
    if not files.holds(step.to, step.digest):
        return False
    return step.action == "copy" or not files.holds(step.path, step.digest)


def _is_link(begun: Begun) -> bool:
    """Tell whether there is the link that the step makes in the file's place."""
    step = begun.step
    found = files.status_of(step.path)
    if found is None or step.action not in LINKS:
        return False
    if step.action == "symlink":
        return stat.S_ISLNK(found.st_mode) and os.readlink(step.path) == step.keeper
    return found.st_ino == begun.inode and files.holds(step.path, step.keeper_digest)


def revert(begun: Begun, *, finished: bool) -> None:
    """Take back a step, however far it came; raises RefusedError where that cannot be, or OSError.

    `finished` tells whether it is known to have come to its end. Where nothing of it was done, or
    it is taken back already, nothing happens.
    """
    clear(begun)
    if not finished and _is_untouched(begun):
        return
    if begun.step.action == "copy":
        _remove_copy(begun)
    elif begun.step.action == "delete":
        _require_there(begun)
    elif begun.step.action in MOVES:
        _move_back(begun)
    else:
        _unlink(begun)


def _is_untouched(begun: Begun) -> bool:
    """Tell whether there is nothing that the step made, and a file that it did not take away."""
    has_target = begun.step.to and files.status_of(begun.step.to)
    return not has_target and files.status_of(begun.step.path) is not None and not _is_link(begun)


def _remove_copy(begun: Begun) -> None:
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
    _remove_second(begun)


def _require_there(begun: Begun) -> None:
    if not files.holds(begun.step.path, begun.step.digest):
        msg = "deleted for good"
        raise RefusedError(msg)


def _move_back(begun: Begun) -> None:
    step = begun.step
    if files.status_of(step.path) is not None:
        if not files.holds(step.path, step.digest):
            raise RefusedError(AT_OLD_PLACE)
        _remove_second(begun)
        return
    temporary = _beside(step.path, begun)
    status = _put_back(begun, temporary)
    files.publish(temporary, step.path)
    files.remove(step.to, status)


def _unlink(begun: Begun) -> None:
    step = begun.step
    found = files.status_of(step.path)
    if found is not None and not _is_link(begun):
        if not files.holds(step.path, step.digest):
            raise RefusedError(AT_OLD_PLACE)
        _remove_second(begun)
        return
    temporary = _beside(step.path, begun)
    if step.to:
        status = _put_back(begun, temporary)
    else:
        # The link has the bytes of the keeper, if it is there; the copy verifies them.
        source = step.keeper if found is None else step.path
        _require_source(f"its keeper {step.keeper}", source, step.digest)
        os.makedirs(os.path.dirname(step.path), exist_ok=True)
        files.copy(source, temporary, step.digest, begun.looks)
        status = None
    if found is None:
        files.publish(temporary, step.path)
    else:
        files.replace(temporary, step.path, found)
    if status is not None:
        files.remove(step.to, status)


def _put_back(begun: Begun, temporary: str) -> os.stat_result:
    """Stage the file from where it was put, and return its status there."""
    step = begun.step
    status = _require_source(f"the file at {step.to}", step.to, step.digest, follow=False)
    os.makedirs(os.path.dirname(step.path), exist_ok=True)
    files.stage(step.to, status, temporary, step.digest, begun.looks)
    return status


def _require_source(name: str, path: str, digest: str, *, follow: bool = True) -> os.stat_result:
    try:
        return files.examine(path, digest, follow=follow)
    except RefusedError as error:
        msg = f"{name}: {error}"
        raise RefusedError(msg) from error


def _remove_second(begun: Begun) -> None:
    """Remove what is at the target, if it is of the step, while the file is at its own place."""
    step = begun.step
    found = files.status_of(step.to) if step.to else None
    if found and files.holds(step.to, step.digest) and files.is_apart(step.to, step.path):
        files.remove(step.to, found)


def clear(begun: Begun) -> None:
    """Remove what a crash has left: temporary files, and an empty file that kept a name for one."""
    for place in (begun.step.path, begun.step.to):
        temporary = _beside(place, begun) if place else ""
        found = files.status_of(temporary) if temporary else None
        if found:
            kept = files.status_of(place)
            if kept and _is_kept_name(kept, found):
                files.remove(place, kept)
            files.discard(temporary)


def _is_kept_name(kept: os.stat_result, temporary: os.stat_result) -> bool:
    """Tell an empty file that `publish` was about to replace, as there are no hard links."""
    are_files = stat.S_ISREG(kept.st_mode) and stat.S_ISREG(temporary.st_mode)
    return are_files and temporary.st_nlink == 1 and kept.st_size == 0 < temporary.st_size


def _beside(path: str, begun: Begun) -> str:
    return os.path.join(os.path.dirname(path), begun.temporary)


def clean(folders: Collection[str], markers: Collection[str]) -> None:
    """Remove folders that were made, and markers in them, where they hold nothing else."""
    deepest = sorted({*folders, *map(os.path.dirname, markers)}, key=len, reverse=True)
    for folder in deepest:
        marker = os.path.join(folder, IGNORE)
        with suppress(OSError):
            if marker in markers and os.listdir(folder) == [IGNORE]:
                os.unlink(marker)
            if folder in folders:
                os.rmdir(folder)
