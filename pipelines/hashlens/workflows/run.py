"""Run a workflow of a txtai application file, then group, report and plan."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from hashlens.cleanup.names import numbered
from hashlens.cleanup.plan import may_be_replaced
from hashlens.errors import HashlensError, ParameterError, QueryError
from hashlens.index.directory import write_lock
from hashlens.index.host import host
from hashlens.index.image_index import ImageIndex
from hashlens.workflows.application_file import OUT, ApplicationFile

ROWS = "hashlens.ImageRows"


def run(
    config: str | os.PathLike[str], elements: Sequence[str] = (), *, workflow: str | None = None
) -> dict[str, Any]:
    """Run a workflow of a txtai application file, and return a summary.

    The workflow is the one named, the one that the file names under `hashlens: {workflow: …}`, or
    the only one. The elements, such as folders, are those given, or those in the file under
    `hashlens: {elements: […]}`. The summary has what the workflow returned in `results`, or only
    its length if the workflow ends by writing to the index.

    After a workflow that writes to the index come the steps that the file has under `hashlens`:
    `groups` (parameters of `ImageIndex.groups`), `report` (`html`, `mosaics`, `verify`) and `plan`
    (parameters of `Groups.plan`, and `out`). The plan is saved for review and never carried out.

    Raises ParameterError for a file that cannot be run, also for keys and values that are not known
    to it, IndexingError if another process is
    writing to the index, and QueryError if the workflow fails.
    """
    file = ApplicationFile.read(config)
    name = file.workflow(workflow)
    steps = file.steps()
    chosen = file.elements(elements)
    if not chosen:
        msg = f"{file.path} names no elements to run {name!r} on; give some, such as a folder"
        raise ParameterError(msg)
    actions = file.actions(name)
    if actions and str(actions[0]).startswith("hashlens.Image"):
        for element in chosen:
            if not os.path.exists(element):
                msg = f"no such file or directory: {element}"
                raise ParameterError(msg)
    with _write_lock(file):
        results, rows = _results(file, name, chosen)
    writes = bool(actions) and actions[-1] in ("index", "upsert")
    summary: dict[str, Any] = {
        "workflow": name,
        "elements": len(chosen),
        "index": file.settings.get("path"),
        "rows": rows,
        "results": len(results) if writes else results,
    }
    if steps and writes:
        folders = chosen if actions[0] == ROWS else []
        given = file.section(ROWS)
        found_by: dict[str, Any] = {
            key: given[key] for key in ("any_name", "exclude") if key in given
        }
        summary |= _clean_up(file.settings["path"], steps, folders, found_by)
    return summary


def _write_lock(file: ApplicationFile) -> AbstractContextManager[None]:
    """Be the one writer of the index that the application writes to, if there is one."""
    if not (file.settings.get("path") and file.settings.get("writable")):
        return nullcontext()
    path = Path(file.settings["path"])
    path.mkdir(parents=True, exist_ok=True)
    return write_lock(path)


def _results(
    file: ApplicationFile, workflow: str, elements: list[Any]
) -> tuple[list[Any], int | None]:
    """Return what a workflow returns, and how many rows the index has after it."""
    copy = host(file.models())
    with copy.active():
        try:
            application = copy.module("txtai.app").Application(file.settings)
            results = list(application.workflow(workflow, elements))
            return results, application.count() if application.embeddings else None
        except HashlensError:
            raise
        except Exception as error:
            msg = f"the workflow {workflow!r} of {file.path} failed: {error}"
            raise QueryError(msg) from error


def _clean_up(
    path: str,
    steps: Mapping[str, Mapping[str, Any]],
    folders: list[Any],
    found_by: Mapping[str, Any],
) -> dict[str, Any]:
    """Group the images of an index, write the report and the plan, and return a summary."""
    with ImageIndex.open(path, create=False) as index:
        if folders:
            index.index(
                folders, **found_by
            )  # deletes the rows of vanished files, which no workflow does
        found = index.groups(**steps.get("groups", {}))
    summary: dict[str, Any] = {"groups": len(found), "links": len(found.links)}
    report, plan = steps.get("report", {}), steps.get("plan")
    drawn = found.verified() if report and report.get("verify", True) else found
    if report.get("html"):
        drawn.save_html(report["html"])
        summary["html"] = report["html"]
    if report.get("mosaics"):
        summary["mosaics"] = len(drawn.save_mosaics(report["mosaics"]))
    if plan is not None:
        plan = dict(plan)
        # A plan that was applied or edited stays; the next run takes the next free name.
        names = numbered(plan.pop("out", OUT))
        out = next(name for name in names if may_be_replaced(name))
        source = drawn if plan.get("verify", True) else found
        made = source.plan(**plan)
        made.save(out)
        summary["plan"] = {"file": out, **made.summary()}
    return summary
