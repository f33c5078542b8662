"""Carry out a plan, step by step, so that each can be undone and none is lost in a crash."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from hashlens.cleanup import files, steps
from hashlens.cleanup.files import Looks, RefusedError, TakenError
from hashlens.cleanup.journal import Begun, Journal, opened
from hashlens.cleanup.plan import Plan, journal_of
from hashlens.cleanup.plan_file import LINKS, TAKES
from hashlens.errors import PlanError
from hashlens.images.walk import IGNORE
from hashlens.model import Outcome, Progress, Skipped, Step

ATTEMPTS = 100  # names that are tried, should others take them in that moment


def apply(
    plan_path: str | os.PathLike[str],
    journal: str | os.PathLike[str] | None = None,
    *,
    progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Carry out a plan, or go on with one that was cut short; the journal tells how to go back.

    The journal is the plan's file with `.journal.jsonl` in place of its extension, unless given.
    A step whose file or keeper is not, byte for byte, what the plan says, or that the system does
    not allow, is skipped with the reason, and tried again when the plan is applied again. Nothing
    is ever overwritten: where a name is in use by now, the file gets the next with a number.

    Raises PlanError, before anything is done, where the plan cannot be read, would take away the
    keeper of a step, or has changed since the journal was begun; and where no space is left, after
    which the plan can be applied again.
    """
    plan_path = os.path.abspath(plan_path)
    plan = Plan.read(plan_path)
    _require_keepers(plan_path, plan.steps)
    path = os.path.abspath(journal) if journal else journal_of(plan_path)
    with opened(path, create=True) as log:
        _require_own(log, plan_path, plan)
        return _Run(log, plan.steps).run(progress)


def _require_keepers(path: str, planned: Sequence[Step]) -> None:
    """Raise PlanError where a file that is to be kept would be taken away: the last copy."""
    taken = {_real(step.path): step for step in planned if step.action in TAKES}
    for step in planned:
        if step.action in TAKES:
            other = taken.get(_real(step.keeper)) or taken.get(os.path.realpath(step.keeper))
            if other:
                msg = f"{path}: {step.keeper} is the keeper of {step.path}, and is itself to "
                msg += f"{other.action}; set one of the two to keep"
                raise PlanError(msg)


def _real(path: str) -> str:
    """Return the one name of what has a name: of a link too, not of what it leads to."""
    folder, name = os.path.split(path)
    return os.path.join(os.path.realpath(folder), name)


def _require_own(log: Journal, plan_path: str, plan: Plan) -> None:
    """Begin a journal, anew where nothing stands; raise PlanError where it is of another plan."""
    if not log.standing:
        log.start(plan_path, plan.digest)
    elif log.is_undoing:
        msg = f"{log.path}: this plan was undone in part; undo the rest, or give another journal"
        raise PlanError(msg)
    elif log.digest != plan.digest:
        msg = f"{log.path} is the journal of another plan ({log.plan}), or the plan was changed "
        msg += "since: undo with that journal first, or give another one"
        raise PlanError(msg)


@dataclass
class _Run:
    """One run over the steps of a plan."""

    log: Journal
    planned: Sequence[Step]
    seen: set[tuple[object, ...]] = field(default_factory=set)  # keepers that were read
    unsaved: set[str] = field(default_factory=set)  # files whose copies could not be made
    skipped: list[Skipped] = field(default_factory=list)

    def run(self, progress: Callable[[Progress], None] | None) -> Outcome:
        """Do all steps that are not done."""
        done = earlier = freed = 0
        todo = [(n, step) for n, step in enumerate(self.planned) if step.action != "keep"]
        todo.sort(key=lambda item: item[1].action != "copy")  # backups first, in any order of lines
        for count, (number, step) in enumerate(todo, 1):
            if self.log.states.get(number) == "done":
                earlier += 1
            elif reason := self._reason_not_to(number, step):
                self.skipped.append(Skipped(step.path, reason))
                if step.action == "copy":
                    self.unsaved.add(step.path)
            else:
                done += 1
                freed += self.log.begun[number].frees
            if progress:
                progress(Progress(count, len(todo), step.path))
        return Outcome(done, earlier, freed, tuple(self.skipped), self.log.path)

    def _reason_not_to(self, number: int, step: Step) -> str:
        """Do a step; return why not, where that cannot be: all is then as it was."""
        full = False
        try:
            self._do(number, step)
        except RefusedError as error:
            reason = str(error)
        except OSError as error:
            full = error.errno in files.FULL
            reason = error.strerror or str(error)
        else:
            self.log.end(number, "done")
            return ""
        reason += self._take_back(number)
        if self.log.states.get(number) != "begin":
            self.log.end(number, "skipped", reason)
        if full:
            msg = f"{step.path}: {reason}; make room and apply the plan again, or undo it"
            raise PlanError(msg)
        return reason

    def _take_back(self, number: int) -> str:
        """Take back what was begun of a step; where that fails, the next run tries again."""
        if self.log.states.get(number) == "begin":
            begun = self.log.begun[number]
            try:
                steps.revert(begun, finished=False)
            except (RefusedError, OSError) as error:
                return f", and cannot be taken back: {error}"
            steps.clean(begun.folders, [begun.marker])
            self.log.states[number] = ""
        return ""

    def _do(self, number: int, step: Step) -> None:
        again = self.log.states.get(number) == "begin"
        before = self.log.begun[number] if again else None
        if before and steps.is_done(before):
            steps.clear(before)
            return
        status, keeper = self._verify(step)
        for target in self._targets(before.step.to if before else step.to, again=again):
            begun = self._begun(number, replace(step, to=target), status, before)
            begun = replace(begun, inode=keeper.st_ino if keeper else 0)
            self.log.begin(begun)
            with suppress(TakenError):
                steps.do(begun, status, again=again)
                return
            before, again = begun, False
        msg = f"no free name was found for {step.to}"
        raise RefusedError(msg)

    def _verify(self, step: Step) -> tuple[os.stat_result, os.stat_result | None]:
        """Return the status of the file and of its keeper; raises RefusedError."""
        if {step.path, step.keeper} & self.unsaved and step.action in TAKES:
            msg = "its backup could not be made"
            raise RefusedError(msg)
        status = files.examine(step.path, step.digest, follow=step.action == "copy")
        if step.action == "copy":
            return status, None
        try:
            keeper = self._keeper(step)
        except RefusedError as error:
            msg = f"its keeper {step.keeper}: {error}"
            raise RefusedError(msg) from error
        if step.action == "hardlink" and os.path.samestat(status, keeper):
            msg = "a hard link of its keeper already"
            raise RefusedError(msg)
        if not files.is_apart(step.path, step.keeper):
            msg = f"the same file as its keeper {step.keeper}"
            raise RefusedError(msg)
        return status, keeper

    def _keeper(self, step: Step) -> os.stat_result:
        """Look at the keeper each time, and read it once."""
        with suppress(FileNotFoundError):
            found = os.stat(step.keeper)
            if self._key(found, step) in self.seen:
                return found
        found = files.examine(step.keeper, step.keeper_digest, follow=True)
        self.seen.add(self._key(found, step))
        return found

    def _key(self, found: os.stat_result, step: Step) -> tuple[object, ...]:
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, step.keeper_digest

    def _targets(self, wanted: str, *, again: bool) -> Iterator[str]:
        """Yield names for the target: that of the run before, then free ones; "" where none is."""
        names = files.numbered(wanted) if wanted else iter([""])
        for _ in range(ATTEMPTS if wanted else 1):
            yield next(name for name in names if again or not os.path.lexists(name))
            again = False

    def _begun(
        self, number: int, step: Step, status: os.stat_result, before: Begun | None
    ) -> Begun:
        """Return what is to be noted before the step is done."""
        is_last = status.st_nlink == 1
        in_place = step.action in LINKS and not step.to
        frees = status.st_size if is_last and (in_place or step.action == "delete") else 0
        missing = files.missing_folders(os.path.dirname(step.to)) if step.to else []
        marker = _marker(step, missing) if step.to else ""
        if before:
            missing = [*before.folders, *(name for name in missing if name not in before.folders)]
            marker = before.marker or marker
        temporary = f".hashlens-{self.log.token}-{number}"
        return Begun(
            number,
            step,
            temporary,
            Looks.of(status),
            frees=frees,
            folders=tuple(missing),
            marker=marker,
        )


def _marker(step: Step, missing: Sequence[str]) -> str:
    """Return the marker that is to be made in the folder of what is put aside, if any."""
    top = steps.top_folder(step)
    if top and (top in missing or not os.listdir(top)):
        return os.path.join(top, IGNORE)
    return ""
