"""One step: carry it out, find out how far it came, and undo it.

Each function may be interrupted at any moment, and called again. A file that moves has both paths
for a moment, and loses the old one last. To lose it, it is first *taken*: renamed to a name that
nobody knows. Then the file that is kept must still be there; if it is not, both names were one
file's, and the taken file gets its name back. So, whenever a crash comes, the file is whole at one
of its paths or beside the old one, and the files on disk show how far the step came.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping
from contextlib import suppress

from hashlens.cleanup import files
from hashlens.cleanup.actions import LINK_ACTIONS, MOVES, Step
from hashlens.cleanup.files import Looks, RefusedError, TakenError
from hashlens.cleanup.hard_links import link_twin
from hashlens.cleanup.journal import Begun
from hashlens.disk import sync
from hashlens.images.walk import IGNORE

OLD_PATH_IN_USE = "something else is at its old place"


def do(
    begun: Begun,
    status: os.stat_result,
    kept: Mapping[str, os.stat_result],
    *,
    resumed: bool = False,
) -> None:
    """Carry out one step. The caller has verified the file and its keeper.

    `status` is that of the file. `kept` has the statuses of the keeper and of all other files that
    must be there afterwards; it is empty for a copy. `resumed` says that an earlier run began the
    step, was interrupted, and is settled. Raises RefusedError if a file has changed or is one of
    those that are kept, TakenError if the name of the target is in use, and OSError. Nothing is
    lost then, and `revert` undoes what was done.
    """
    step = begun.step
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
        try:
            files.publish(temporary, step.to)
        except TakenError:
            files.discard(temporary)  # the next attempt has other names
            raise
    if kept:
        target = {step.to: files.status_of(step.to)} if step.to else {}
        _remove(step.path, begun, status, {**kept, **target})


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


def _remove(
    path: str, begun: Begun, status: os.stat_result, kept: Mapping[str, os.stat_result | None]
) -> None:
    """Take a name away, and make a link there if the step asks for it.

    `status` is that of the file at `path`, and `kept` has the statuses of the files that must still
    be there then. Otherwise the file gets its name back, and RefusedError or OSError is raised.
    """
    taken = _taken(path, begun)
    files.take(path, taken, status)
    try:
        for other, its_status in kept.items():
            files.require_kept(other, its_status, taken)
        if path == begun.step.path and begun.step.action in LINK_ACTIONS:
            _make_link(begun)
    except (RefusedError, OSError):
        if path == begun.step.path and _is_link(begun):
            files.discard(path)  # the error came after the link was made
        files.put_back(taken, path)
        raise
    files.discard(taken)
    sync(os.path.dirname(path))


def _make_link(begun: Begun) -> None:
    """Make the link of a step; raises RefusedError if the keeper has changed."""
    step = begun.step
    try:
        if step.action == "symlink":
            os.symlink(step.keeper, step.path)
            return
        os.link(os.path.realpath(step.keeper), step.path)
    except FileExistsError as error:
        raise RefusedError(OLD_PATH_IN_USE) from error
    found = os.lstat(step.path)
    if found.st_ino != begun.inode:
        files.discard(step.path)
        msg = f"its keeper {step.keeper} {files.CHANGED}"
        raise RefusedError(msg)


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
    """Settle and undo a step, however far it came; do nothing if it is undone already.

    `finished` says that the step is known to have been carried out to its end. Raises RefusedError
    if the step cannot be undone, and OSError.
    """
    settle(begun)
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
    _remove(step.to, begun, status, {step.path: files.status_of(step.path)})


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
        if not link_twin(begun, temporary):
            files.copy(source, temporary, step.digest, begun.looks)
        status = None
    if found is None:
        files.publish(temporary, step.path)
    else:
        files.replace_unchanged(temporary, step.path, found)
    if status is not None:
        _remove(step.to, begun, status, {step.path: files.status_of(step.path)})


def _stage_back(begun: Begun, temporary: str) -> os.stat_result:
    """Stage the file at its target to go back to its path; return its status at the target."""
    step = begun.step
    status = _require_source(f"the file at {step.to}", step.to, step.digest, follow=False)
    os.makedirs(os.path.dirname(step.path), exist_ok=True)
    if not link_twin(begun, temporary):
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
        _remove(step.to, begun, found, {step.path: os.stat(step.path)})


def settle(begun: Begun) -> None:
    """Bring what a crash has left in order: the files that were taken, and temporary files.

    A taken file gets its name back, unless the step has come so far that it can go. Raises
    RefusedError if something else has its name.
    """
    for path in filter(None, (begun.step.path, begun.step.to)):
        temporary = _temporary(path, begun)
        staged = files.status_of(temporary)
        if staged:
            _give_up_reserved(path, staged)
            files.discard(temporary)
        taken = _taken(path, begun)
        found = files.status_of(taken)
        if found:
            _give_up_reserved(path, found)
            if _is_needless(path, found, begun):
                files.discard(taken)
            else:
                files.put_back(taken, path)


def _give_up_reserved(path: str, temporary: os.stat_result) -> None:
    """Remove the empty file by which `publish` has reserved a name, if it is there."""
    status = files.status_of(path)
    if status and _is_reserved(status, temporary):
        files.remove_unchanged(path, status)


def _is_needless(path: str, taken: os.stat_result, begun: Begun) -> bool:
    """Return whether a taken file has its name, is linked from it, or is there with its bytes."""
    status = files.status_of(path)
    if status is None:
        return False
    is_linked = path == begun.step.path and _is_link(begun) and _leads_to_keeper(begun.step)
    return os.path.samestat(status, taken) or is_linked or files.holds(path, begun.step.digest)


def _leads_to_keeper(step: Step) -> bool:
    try:
        files.examine(step.path, step.keeper_digest, follow=True)
    except (RefusedError, OSError):
        return False
    return True


def _is_reserved(status: os.stat_result, temporary: os.stat_result) -> bool:
    """Return whether a file is the empty one by which `publish` reserves a name."""
    are_files = stat.S_ISREG(status.st_mode) and stat.S_ISREG(temporary.st_mode)
    return are_files and status.st_nlink == temporary.st_nlink == 1 and status.st_size == 0


def _temporary(path: str, begun: Begun) -> str:
    """Return the path of the temporary file of a step beside a path."""
    return os.path.join(os.path.dirname(path), begun.temporary)


def _taken(path: str, begun: Begun) -> str:
    """Return the name that a file gets when it is taken away from a path."""
    return f"{_temporary(path, begun)}-taken"


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
