"""Find the same picture again: near-duplicate images in SQL, in a normal txtai index.

The names here are the public ones, and the class paths for YAML. Each is imported when it is
first used, so that `import hashlens` costs nothing and never loads txtai.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hashlens.cleanup.actions import Outcome as Outcome
    from hashlens.cleanup.actions import Step as Step
    from hashlens.cleanup.apply import apply as apply
    from hashlens.cleanup.plan import Plan as Plan
    from hashlens.cleanup.plan import make_plan as make_plan
    from hashlens.cleanup.undo import undo as undo
    from hashlens.errors import FingerprintError as FingerprintError
    from hashlens.errors import HashlensError as HashlensError
    from hashlens.errors import ImageError as ImageError
    from hashlens.errors import IndexingError as IndexingError
    from hashlens.errors import ParameterError as ParameterError
    from hashlens.errors import PlanError as PlanError
    from hashlens.errors import QueryError as QueryError
    from hashlens.evaluation.card import Card as Card
    from hashlens.evaluation.run import evaluate as evaluate
    from hashlens.grouping.groups import Groups as Groups
    from hashlens.hashing.metrics import distance as distance
    from hashlens.hashing.metrics import similarity as similarity
    from hashlens.hashing.perceptual import PerceptualHash as PerceptualHash
    from hashlens.images.digests import file_digest as file_digest
    from hashlens.images.digests import pixel_digest as pixel_digest
    from hashlens.images.formats import FORMATS as FORMATS
    from hashlens.images.sharpness import sharpness as sharpness
    from hashlens.index.image_index import ImageIndex as ImageIndex
    from hashlens.model import Decision as Decision
    from hashlens.model import Doubt as Doubt
    from hashlens.model import Explanation as Explanation
    from hashlens.model import Group as Group
    from hashlens.model import Link as Link
    from hashlens.model import Match as Match
    from hashlens.model import Member as Member
    from hashlens.model import Pair as Pair
    from hashlens.model import Place as Place
    from hashlens.model import Progress as Progress
    from hashlens.model import Report as Report
    from hashlens.model import Skipped as Skipped
    from hashlens.names import name_of as name_of
    from hashlens.names import text_of as text_of
    from hashlens.neighbors.calibration import Calibration as Calibration
    from hashlens.report.bits import draw_hash as draw_hash
    from hashlens.report.matches import draw_matches as draw_matches
    from hashlens.rows.compare import Duplicates as Duplicates
    from hashlens.rows.compare import compare as compare
    from hashlens.rows.compare import find_duplicates as find_duplicates
    from hashlens.rows.hash_files import hash_files as hash_files
    from hashlens.sql.functions import SQL_FUNCTIONS as SQL_FUNCTIONS
    from hashlens.workflows.pipelines import ImageHash as ImageHash
    from hashlens.workflows.pipelines import ImageRows as ImageRows
    from hashlens.workflows.semantic import ImageVectors as ImageVectors

    __version__: str

_HOMES = {
    "cleanup.actions": (
        "Outcome",
        "Step",
    ),
    "cleanup.apply": ("apply",),
    "cleanup.plan": (
        "Plan",
        "make_plan",
    ),
    "cleanup.undo": ("undo",),
    "errors": (
        "FingerprintError",
        "HashlensError",
        "ImageError",
        "IndexingError",
        "ParameterError",
        "PlanError",
        "QueryError",
    ),
    "evaluation.card": ("Card",),
    "evaluation.run": ("evaluate",),
    "grouping.groups": ("Groups",),
    "hashing.metrics": (
        "distance",
        "similarity",
    ),
    "hashing.perceptual": ("PerceptualHash",),
    "images.digests": (
        "file_digest",
        "pixel_digest",
    ),
    "images.formats": ("FORMATS",),
    "images.sharpness": ("sharpness",),
    "index.image_index": ("ImageIndex",),
    "model": (
        "Decision",
        "Doubt",
        "Explanation",
        "Group",
        "Link",
        "Match",
        "Member",
        "Pair",
        "Place",
        "Progress",
        "Report",
        "Skipped",
    ),
    "names": (
        "name_of",
        "text_of",
    ),
    "neighbors.calibration": ("Calibration",),
    "report.bits": ("draw_hash",),
    "report.matches": ("draw_matches",),
    "rows.compare": (
        "Duplicates",
        "compare",
        "find_duplicates",
    ),
    "rows.hash_files": ("hash_files",),
    "sql.functions": ("SQL_FUNCTIONS",),
    "workflows.pipelines": (
        "ImageHash",
        "ImageRows",
    ),
    "workflows.semantic": ("ImageVectors",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"hashlens.{_HOME[name]}"), name)
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  20 ms, only for who asks

        return version("hashlens")
    msg = f"module 'hashlens' has no attribute {name!r}"
    raise AttributeError(msg)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
