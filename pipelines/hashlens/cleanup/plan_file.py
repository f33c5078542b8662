"""Read and write the steps of a plan as JSON Lines or CSV, for people to read and edit."""

from __future__ import annotations

import csv
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, fields, replace
from typing import Any, TextIO

from hashlens.cleanup.actions import (
    LINK_ACTIONS,
    PARTNER,
    REMOVAL_ACTIONS,
    Step,
    target,
    top_folder,
)
from hashlens.disk import saved
from hashlens.errors import PlanError
from hashlens.model import ORIENTATIONS
from hashlens.names import as_text, name_of

NUMERIC_FIELDS = {"group": int, "bytes": int, "distance": float}  # all other fields are text
FIELDS = tuple(field.name for field in fields(Step))
LATER_FIELDS = ("turn",)  # plans of earlier versions do not have them
DIGEST = re.compile("[0-9a-f]{64}")
JSON_LINES = (".jsonl", ".json", ".ndjson")


def write(path: str, steps: Iterable[Step]) -> None:
    """Write steps to a file in the format of its extension, whole or not at all.

    Raises PlanError for an extension that is not of JSON Lines or CSV, and for a file that cannot
    be written.
    """
    write_steps = _write_csv if is_csv(path) else _write_lines
    try:
        with saved(path, newline="") as file:
            write_steps(file, steps)
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be written: {getattr(error, 'strerror', None) or error}"
        raise PlanError(msg) from error


def read(path: str) -> list[Step]:
    """Read steps; raises PlanError, naming file and line, for a line that is not a step.

    Two words exchange keeper and duplicate; the rest is completed. If the keeper of a step is
    itself to be taken away, the keeper is instead the first image of the group that is kept. A file
    that goes to no place goes to the folder to which that image was to go.
    """
    records = _csv_records if is_csv(path) else _line_records
    steps, lines = [], []
    number = 1
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            for number, record in records(file):
                steps.append(_step(record))
                lines.append(number)
        steps = list(_completed(steps))
        for line, step in zip(lines, steps, strict=True):
            _require_complete(step, line)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror or error}"
        raise PlanError(msg) from error
    except UnicodeDecodeError as error:
        msg = f"{path} is not a plan: it is not in UTF-8 ({error.reason} at byte {error.start})"
        raise PlanError(msg) from error
    except (ValueError, RecursionError, csv.Error) as error:
        line = getattr(error, "line", number)
        msg = f"{path}, line {line}: {error}"
        raise PlanError(msg) from error
    _require_distinct(path, steps, lines)
    return steps


class _LineError(ValueError):
    """A line of a file is malformed; `line` is its number."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def is_csv(path: str) -> bool:
    """Return whether a file is CSV, and not JSON Lines; raises PlanError for other extensions."""
    ending = os.path.splitext(path)[1].lower()
    if ending != ".csv" and ending not in JSON_LINES:
        msg = f"{path}: a plan is a file .jsonl or .csv, not {ending or 'without an extension'}"
        raise PlanError(msg)
    return ending == ".csv"


def _write_lines(file: TextIO, steps: Iterable[Step]) -> None:
    for step in steps:
        file.write(json.dumps(as_text(asdict(step)), ensure_ascii=False, allow_nan=False) + "\n")


def _write_csv(file: TextIO, steps: Iterable[Step]) -> None:
    # All text is quoted: the writer would not quote a name with a carriage return.
    rows = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    rows.writerow(FIELDS)
    rows.writerows(as_text(asdict(step)).values() for step in steps)


def _line_records(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the line numbers and records of JSON Lines."""
    for number, line in enumerate(file, 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _LineError(number, f"not JSON: {error}") from error
        if not isinstance(record, dict):
            raise _LineError(number, "a step is a JSON object with a value for each field")
        yield number, record


def _csv_records(file: TextIO) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the line numbers and records of CSV, whose first line names the fields."""
    rows = csv.reader(file, strict=True)
    header: list[str] = []
    while True:
        try:
            row = next(rows, None)
        except csv.Error as error:
            raise _LineError(rows.line_num, f"not CSV: {error}") from error
        if row is None:
            return
        if not header:
            header = row
            _require_fields(header)
        elif row and len(row) != len(header):
            msg = f"{len(row)} values, but the first line names {len(header)} fields"
            raise _LineError(rows.line_num, msg)
        elif row:
            texts = dict(zip(header, row, strict=True))
            yield rows.line_num, {name: _cell(name, text) for name, text in texts.items()}


def _cell(name: str, text: str) -> Any:
    """Return what a cell of CSV says: a number, if its field has numbers and the text is one."""
    kind = NUMERIC_FIELDS.get(name)
    if kind and text.isascii() and "_" not in text:  # Python would take 1_0 for 10
        with suppress(ValueError):
            return kind(text)
    return text


def _require_fields(names: Sequence[str]) -> None:
    """Raise ValueError unless each field is named once, and nothing else."""
    for name in names:
        if name not in FIELDS or list(names).count(name) > 1:
            problem = "not a field" if name not in FIELDS else "twice the field"
            msg = f"{problem} of a step: {name!r}"
            raise ValueError(f"{msg}; they are {', '.join(FIELDS)}")  # noqa: EM102
    for name in FIELDS:
        if name not in names and name not in LATER_FIELDS:
            msg = f"the field {name!r} is missing"
            raise ValueError(msg)


def _step(record: dict[str, Any]) -> Step:
    """Return the step of a record; raises ValueError for one that could not be carried out."""
    _require_fields(list(record))
    step = Step(**{name: _value(name, given) for name, given in record.items()})
    known = ("keep", "copy", *REMOVAL_ACTIONS, PARTNER)
    if step.action not in known:
        msg = f"unknown action {step.action!r}; there are {', '.join(known)}"
        raise ValueError(msg)
    for name in ("path", "to", "keeper"):
        given = getattr(step, name)
        if not os.path.isabs(given) and (given or name == "path"):
            msg = f"{name} must be an absolute path, not {given!r}"
            raise ValueError(msg)
    if step.turn not in ORIENTATIONS:
        words = ", ".join(filter(None, ORIENTATIONS))
        msg = f"turn must be empty or one of {words}, not {step.turn!r}"
        raise ValueError(msg)
    for name in ("digest", "keeper_digest"):
        if getattr(step, name) and not DIGEST.fullmatch(getattr(step, name)):
            msg = f"{name} must be a SHA-256 in 64 hex digits, not {getattr(step, name)!r}"
            raise ValueError(msg)
    return step


def _completed(steps: Sequence[Step]) -> Iterator[Step]:
    """Yield steps, each with a keeper that is kept, and with a place to go, if these are known."""
    removed = {step.path for step in steps if step.action in REMOVAL_ACTIONS}
    kept: dict[int, Step] = {}
    exchanged: dict[int, Step] = {}  # by group: an image that is kept, and was to go to a place
    for step in steps:
        if step.action == "keep" and step.digest:
            kept.setdefault(step.group, step)
            if step.to:
                exchanged.setdefault(step.group, step)
    for step in steps:
        whole = step
        if step.action in REMOVAL_ACTIONS:
            other = kept.get(step.group)
            if other and step.keeper in removed:
                whole = replace(whole, keeper=other.path, keeper_digest=other.digest)
            beside = exchanged.get(step.group)
            if beside and not step.to and not _goes_nowhere(whole):
                folder = top_folder(replace(beside, action=step.action))
                whole = replace(whole, to=target(step.action, folder, step.path))
        yield whole


def _goes_nowhere(step: Step) -> bool:
    """Return whether a step needs no place: it deletes a file, or puts a link to equal bytes."""
    return step.action == "delete" or (
        step.action in LINK_ACTIONS and step.digest == step.keeper_digest
    )


def _require_complete(step: Step, line: int) -> None:
    """Raise _LineError if a step lacks a field that its action needs, or has one too many."""
    if step.action == "keep":
        return
    needed = ["keeper"] if step.action == PARTNER else ["digest"]
    if step.action in REMOVAL_ACTIONS:
        needed += ["keeper", "keeper_digest"]
    if not _goes_nowhere(step) and step.action != PARTNER:
        needed.append("to")
    for name in needed:
        if not getattr(step, name):
            if step.keeper == step.path:
                msg = f"no picture of group {step.group} is kept: set the line of another to keep"
                raise _LineError(line, msg)
            msg = f"to {step.action} a file, {name!r} must be given"
            raise _LineError(line, msg)
    if step.action == "delete" and step.to:
        msg = f"a deleted file goes nowhere: 'to' must be empty, not {step.to!r}"
        raise _LineError(line, msg)
    for name in ("to", "keeper"):
        if getattr(step, name) == step.path and not (step.action == "copy" and name == "keeper"):
            msg = f"path and {name!r} are one and the same: {step.path!r}"
            raise _LineError(line, msg)


def _value(name: str, given: Any) -> Any:
    """Return the value of a field in its type; raises ValueError."""
    kind = NUMERIC_FIELDS.get(name, str)
    if kind is str:
        if not isinstance(given, str) or "\0" in given:
            msg = f"{name} must be text, not {given!r}"
            raise ValueError(msg)
        text = name_of(given)
        os.fsencode(text)  # raises for text that cannot be a file name
        return text
    fits = type(given) is int or (kind is float and type(given) is float)
    if fits and given >= 0:
        with suppress(OverflowError):
            number = kind(given)
            if math.isfinite(number):
                return number
    msg = f"{name} must be a {'whole ' if kind is int else ''}number of at least 0, not {given!r}"
    raise ValueError(msg)


def _require_distinct(path: str, steps: Sequence[Step], lines: Sequence[int]) -> None:
    """Raise PlanError if two lines have the same file, or the same target."""
    seen: dict[tuple[str, str], int] = {}
    for step, line in zip(steps, lines, strict=True):
        keys = [("path", step.path)] if step.action != "copy" else []
        if step.action != "keep" and step.to:
            keys.append(("to", step.to))
        for key in keys:
            if key in seen:
                msg = f"{path}, line {line}: {key[0]} {key[1]!r} is that of line {seen[key]} too"
                raise PlanError(msg)
            seen[key] = line
