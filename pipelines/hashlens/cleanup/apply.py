"""Carry out a plan, step by step, so that each step can be undone and survives a crash."""

from __future__ import annotations

import os
import secrets
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice

from hashlens.cleanup import files, names, steps
from hashlens.cleanup.actions import LINK_ACTIONS, MOVES, PARTNER, REMOVAL_ACTIONS, Outcome, Step
from hashlens.cleanup.files import Looks, RefusedError, TakenError
from hashlens.cleanup.folders import destination, marker_of, remove_emptied
from hashlens.cleanup.hard_links import HardLinks
from hashlens.cleanup.journal import Begun, Journal, open_journal
from hashlens.cleanup.plan import Plan, journal_of
from hashlens.errors import PlanError
from hashlens.images.partners import Folders, renamed
from hashlens.model import Progress, Skipped

ATTEMPTS = 100  # names that are tried for a target, if other processes take them meanwhile


def apply(
    plan_path: str | os.PathLike[str],
    journal: str | os.PathLike[str] | None = None,
    *,
    remove_empty: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> Outcome:
    """Carry out a plan, or continue one that was interrupted; the journal serves to undo it.

    The journal is by default the plan's file with `.journal.jsonl` in place of `.jsonl`, or after
    another extension. A step is skipped, with the reason, if its file or keeper is not, byte for
    byte, what the plan says, if both are one file by two names, or if the system does not allow the
    step; it is tried again when the plan is applied again. Nothing is ever overwritten: if a name
    is in use, the file gets the next name with a number. With `remove_empty`, folders that the plan
    has emptied are removed; undo makes them again.

    Raises PlanError, before anything is done, if the plan cannot be read, would take away the
    keeper of a step, or has changed since the journal was begun. Raises it as well if no space is
    left; then the plan can be applied again.
    """
    plan_path = os.path.abspath(plan_path)
    plan = Plan.read(plan_path)
    _require_keepers(plan_path, plan.steps)
    path = os.path.abspath(journal) if journal else journal_of(plan_path)
    with open_journal(path, create=True) as opened:
        _require_journal_of(plan, plan_path, opened)
        outcome = _Run(opened, plan.steps).run(progress)
        if remove_empty:
            remove_emptied(opened)
        return outcome


def _require_keepers(path: str, planned: Sequence[Step]) -> None:
    """Raise PlanError if a step would take away the keeper of another: it may be the last copy."""
    removals = {
        files.real_name(step.path): step for step in planned if step.action in REMOVAL_ACTIONS
    }
    for step in planned:
        if step.action in REMOVAL_ACTIONS:
            names = (files.real_name(step.keeper), os.path.realpath(step.keeper))
            other = removals.get(names[0]) or removals.get(names[1])
            if other:
                msg = f"{path}: {step.keeper} is the keeper of {step.path}, and is itself to "
                msg += f"{other.action}; set one of the two to keep"
                raise PlanError(msg)


def _require_journal_of(plan: Plan, plan_path: str, journal: Journal) -> None:
    """Start a journal without steps to undo; raise PlanError if it is of another plan."""
    if not journal.undoable:
        if journal.begun or journal.digest != plan.digest:
            journal.start(plan_path, plan.digest)
    elif journal.is_undoing:
        msg = (
            f"{journal.path}: this plan was undone in part; undo the rest, or give another journal"
        )
        raise PlanError(msg)
    elif journal.digest != plan.digest:
        msg = f"{journal.path} is the journal of another plan ({journal.plan}), or the plan was "
        msg += "changed since: undo with that journal first, or give another one"
        raise PlanError(msg)


@dataclass
class _Run:
    """One run over the steps of a plan.

    journal: where each step is noted.
    planned: all steps of the plan.
    verified_keepers: keepers whose bytes were verified, by what identifies the unchanged file.
    without_backup: files whose copies could not be made; they are not taken away.
    skipped: files that were left alone, with their reasons.
    """

    journal: Journal
    planned: Sequence[Step]
    verified_keepers: set[tuple[object, ...]] = field(default_factory=set)
    without_backup: set[str] = field(default_factory=set)
    skipped: list[Skipped] = field(default_factory=list)

    def run(self, progress: Callable[[Progress], None] | None) -> Outcome:
        """Carry out all steps that are not done."""
        done = earlier = freed = 0
        went: Counter[str] = Counter()
        todo = [(n, step) for n, step in enumerate(self.planned) if self._is_to_do(step)]
        # Backups first, partners last, in any order of lines.
        todo.sort(key=lambda item: (item[1].action != "copy", item[1].action == PARTNER))
        for count, (number, step) in enumerate(todo, 1):
            if self.journal.states.get(number) == "done":
                earlier += 1
            elif step.action == PARTNER and not self._is_done(self.moves[step.keeper]):
                pass  # its picture stays, as was said of it
            elif reason := self._carry_out(number, step):
                self.skipped.append(Skipped(step.path, reason))
                if step.action == "copy":
                    self.without_backup.add(step.path)
            else:
                done += 1
                freed += self.journal.begun[number].frees
                begun = self.journal.begun[number].step
                went.update(destination(begun))
                self.reserved.update(self._partner_names(begun))
            if progress:
                progress(Progress(count, len(todo), step.path))
        return Outcome(done, earlier, freed, tuple(self.skipped), self.journal.path, dict(went))

    @cached_property
    def hard_links(self) -> HardLinks:
        """Return the hard links among the files of the plan."""
        return HardLinks(self.planned)

    @cached_property
    def moves(self) -> dict[str, int]:
        """Return the numbers of the steps that move pictures, by path."""
        return {step.path: n for n, step in enumerate(self.planned) if step.action in MOVES}

    def _is_to_do(self, step: Step) -> bool:
        return step.keeper in self.moves if step.action == PARTNER else step.action != "keep"

    @cached_property
    def partners(self) -> dict[str, list[str]]:
        """Return the partners that go with each picture."""
        found: dict[str, list[str]] = {}
        for step in self.planned:
            if step.action == PARTNER:
                found.setdefault(step.keeper, []).append(step.path)
        return found

    @cached_property
    def reserved(self) -> set[str]:
        """Return the names that partners get when their turn comes, of pictures that have gone."""
        numbers = filter(self._is_done, self.moves.values())
        return {name for n in numbers for name in self._partner_names(self.journal.begun[n].step)}

    def _partner_names(self, picture: Step) -> list[str]:
        partners = self.partners.get(picture.path, ())
        return [renamed(path, picture.path, picture.to) for path in partners]

    @cached_property
    def folders(self) -> Folders:
        """Return the folders of the collection as they are when all pictures have gone."""
        return Folders()

    def _is_done(self, number: int) -> bool:
        return self.journal.states.get(number) == "done"

    def _as_picture(self, number: int, step: Step) -> Step:
        """Return the step that moves a partner as its picture was moved; raises RefusedError."""
        picture = self.journal.begun[self.moves[step.keeper]].step
        before = self.journal.begun.get(number)
        if staying := self.folders.sharers(step.keeper, step.path):
            msg = f"belongs to {staying[0]}, too, which stays"
            raise RefusedError(msg)
        digest = before.step.digest if before else files.digest_of(step.path)
        to = renamed(step.path, picture.path, picture.to)
        return replace(picture, path=step.path, to=to, digest=digest, reason=step.reason)

    def _carry_out(self, number: int, step: Step) -> str:
        """Carry out a step; return "", or the reason if it was taken back."""
        full = False
        try:
            self._do(number, step)
        except RefusedError as error:
            reason = str(error)
        except OSError as error:
            full = error.errno in files.FULL
            reason = error.strerror or str(error)
        else:
            self.journal.end(number, "done")
            return ""
        reason += self._take_back(number)
        if self.journal.states.get(number) != "begin":
            self.journal.end(number, "skipped", reason)
        if full:
            msg = f"{step.path}: {reason}; make room and apply the plan again, or undo it"
            raise PlanError(msg)
        return reason

    def _take_back(self, number: int) -> str:
        """Undo a step that was begun; return "", or the reason if the next run must try again."""
        if self.journal.states.get(number) == "begin":
            begun = self.journal.begun[number]
            try:
                steps.revert(begun, finished=False)
            except (RefusedError, OSError) as error:
                return f", and cannot be taken back: {error}"
            steps.remove_empty(begun.folders, [begun.marker])
            self.journal.states[number] = ""
        return ""

    def _do(self, number: int, step: Step) -> None:
        """Verify, note and do a step, or resume it; raises RefusedError or OSError."""
        if step.action == PARTNER:
            step = self._as_picture(number, step)
        resumed = self.journal.states.get(number) == "begin"
        before = self.journal.begun[number] if resumed else None
        if before:
            steps.settle(before)
            if steps.is_done(before):
                return
        status, keeper = self._verify(step)
        kept = self._kept(step, keeper) if keeper else {}
        for target in self._targets(before.step if before else step, resumed=resumed):
            begun = self._begun(number, replace(step, to=target), status, before)
            begun = replace(begun, inode=keeper.st_ino if keeper else 0)
            self.journal.begin(begun)
            with suppress(TakenError):
                steps.do(begun, status, kept, resumed=resumed)
                return
            before, resumed = begun, False
        msg = f"no free name was found for {step.to}"
        raise RefusedError(msg)

    def _verify(self, step: Step) -> tuple[os.stat_result, os.stat_result | None]:
        """Return the status of the file and of its keeper; raises RefusedError."""
        if {step.path, step.keeper} & self.without_backup and step.action in REMOVAL_ACTIONS:
            msg = "its backup could not be made"
            raise RefusedError(msg)
        if step.action == "delete" and step.path in self.partners:
            names = ", ".join(map(os.path.basename, self.partners[step.path]))
            msg = f"{names} would be lost with it: move it, or plan without partners"
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
        if not files.survives_removal(step.keeper, of=step.path):
            msg = f"the same file as its keeper {step.keeper}"
            raise RefusedError(msg)
        return status, keeper

    def _keeper(self, step: Step) -> os.stat_result:
        """Return the status of the keeper; its bytes are read once, unless its status changes."""
        with suppress(FileNotFoundError):
            status = os.stat(step.keeper)
            if self._key(status, step) in self.verified_keepers:
                return status
        status = files.examine(step.keeper, step.keeper_digest, follow=True)
        self.verified_keepers.add(self._key(status, step))
        return status

    def _kept(self, step: Step, keeper: os.stat_result) -> dict[str, os.stat_result]:
        """Return the statuses of the keeper and of all kept files that may be the file itself.

        A plan keeps the same name through a linked folder, which goes with the file.
        """
        kept = {step.keeper: keeper}
        for path in self.kept.get(step.digest, ()):
            status = files.status_of(path)
            is_file = status is not None and stat.S_ISREG(status.st_mode)
            if status and is_file and files.real_name(path) != files.real_name(step.path):
                kept.setdefault(path, status)
        return kept

    @cached_property
    def kept(self) -> dict[str, dict[str, None]]:
        """Return the paths that are kept, by their digest (dicts with no values)."""
        found: dict[str, dict[str, None]] = {}
        for step in self.planned:
            if step.action == "keep":
                found.setdefault(step.digest, {})[step.path] = None
            elif step.action in REMOVAL_ACTIONS:
                found.setdefault(step.keeper_digest, {})[step.keeper] = None
        return found

    def _key(self, status: os.stat_result, step: Step) -> tuple[object, ...]:
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, step.keeper_digest

    def _targets(self, step: Step, *, resumed: bool) -> Iterator[str]:
        """Yield names for the target: first that of the earlier run, then free ones; "" if none."""
        if resumed or not step.to:
            yield step.to
        if step.to:
            is_picture = step.path in self.moves
            partners = self.partners.get(step.path, []) if is_picture else []
            taken = self.reserved if is_picture else ()
            yield from islice(names.free(step.to, step.path, partners, taken), ATTEMPTS)

    def _begun(
        self, number: int, step: Step, status: os.stat_result, before: Begun | None
    ) -> Begun:
        """Return the note that the journal needs before the step is done."""
        is_last = status.st_nlink == 1
        in_place = step.action in LINK_ACTIONS and not step.to
        frees = status.st_size if is_last and (in_place or step.action == "delete") else 0
        missing = files.missing_folders(os.path.dirname(step.to)) if step.to else []
        marker = marker_of(step, missing) if step.to else ""
        twin = before.twin if before else self.hard_links.twin(step.path, status)
        if before:
            missing = [*before.folders, *(name for name in missing if name not in before.folders)]
            marker = before.marker or marker
        temporary = f".hashlens-{secrets.token_hex(4)}-{number}"  # in the cache of no file system
        return Begun(
            number,
            step,
            temporary,
            Looks.of(status),
            frees=frees,
            folders=tuple(missing),
            marker=marker,
            twin=twin,
        )
