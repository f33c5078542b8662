"""Find the same picture again: near-duplicate images in SQL, in a normal txtai index.

The names here are the public ones, and the class paths for YAML. Each is imported when it is
first used, so that `import hashlens` costs nothing and never loads txtai.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hashlens.actions.apply import apply as apply
    from hashlens.actions.plan import Plan as Plan
    from hashlens.actions.plan import make_plan as make_plan
    from hashlens.actions.undo import undo as undo
    from hashlens.bitmap import draw_hash as draw_hash
    from hashlens.calibration import Calibration as Calibration
    from hashlens.comparison import compare as compare
    from hashlens.comparison import find_duplicates as find_duplicates
    from hashlens.evaluation import Card as Card
    from hashlens.evaluation import evaluate as evaluate
    from hashlens.files import file_digest as file_digest
    from hashlens.files import pixel_digest as pixel_digest
    from hashlens.formats import FORMATS as FORMATS
    from hashlens.grouping.groups import Groups as Groups
    from hashlens.hashing import PerceptualHash as PerceptualHash
    from hashlens.index import ImageIndex as ImageIndex
    from hashlens.laplacian import sharpness as sharpness
    from hashlens.metrics import distance as distance
    from hashlens.metrics import similarity as similarity
    from hashlens.model import Decision as Decision
    from hashlens.model import Duplicates as Duplicates
    from hashlens.model import Explanation as Explanation
    from hashlens.model import FingerprintError as FingerprintError
    from hashlens.model import Group as Group
    from hashlens.model import HashlensError as HashlensError
    from hashlens.model import ImageError as ImageError
    from hashlens.model import IndexingError as IndexingError
    from hashlens.model import Link as Link
    from hashlens.model import Match as Match
    from hashlens.model import Member as Member
    from hashlens.model import Outcome as Outcome
    from hashlens.model import Pair as Pair
    from hashlens.model import ParameterError as ParameterError
    from hashlens.model import Place as Place
    from hashlens.model import PlanError as PlanError
    from hashlens.model import Progress as Progress
    from hashlens.model import QueryError as QueryError
    from hashlens.model import Report as Report
    from hashlens.model import Skipped as Skipped
    from hashlens.model import Step as Step
    from hashlens.outline import draw_matches as draw_matches
    from hashlens.pipeline import ImageHash as ImageHash
    from hashlens.pipeline import ImageRows as ImageRows
    from hashlens.rows import hash_files as hash_files
    from hashlens.sql import SQL_FUNCTIONS as SQL_FUNCTIONS

    __version__: str

_HOMES = {
    "actions.apply": ("apply",),
    "actions.plan": ("Plan", "make_plan"),
    "actions.undo": ("undo",),
    "bitmap": ("draw_hash",),
    "calibration": ("Calibration",),
    "comparison": ("compare", "find_duplicates"),
    "evaluation": ("Card", "evaluate"),
    "files": ("file_digest", "pixel_digest"),
    "formats": ("FORMATS",),
    "grouping.groups": ("Groups",),
    "hashing": ("PerceptualHash",),
    "index": ("ImageIndex",),
    "metrics": ("distance", "similarity"),
    "model": (
        "Decision",
        "Duplicates",
        "Explanation",
        "FingerprintError",
        "Group",
        "HashlensError",
        "ImageError",
        "IndexingError",
        "Link",
        "Match",
        "Member",
        "Outcome",
        "Pair",
        "ParameterError",
        "Place",
        "PlanError",
        "Progress",
        "QueryError",
        "Report",
        "Skipped",
        "Step",
    ),
    "outline": ("draw_matches",),
    "pipeline": ("ImageHash", "ImageRows"),
    "rows": ("hash_files",),
    "laplacian": ("sharpness",),
    "sql": ("SQL_FUNCTIONS",),
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
