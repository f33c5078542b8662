"""Compare this version of hashlens with another one, in turns, to see whether anything is slower.

    python benchmarks/versions.py OLD FOLDER [--only PART …] [--rounds N] [--dry]

OLD is another checkout (`git worktree add --detach ../old COMMIT`); FOLDER holds photos. Both run
in the environment of this script, on the same files and indexes. Their answers must be equal.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TypeAlias

from codes import Families
from groups_indexes import LIMIT, Files
from results import Page, load, table
from runs import MILLION, options
from timing import PYTHON, Command, in_turns, once, program, usage

from hashlens import ImageIndex
from hashlens.images.walk import find_images

COMMAND = "python benchmarks/versions.py OLD FOLDER"
HERE = Path(__file__).parent.parent
MAIN = "from hashlens.cli import main; main()"
PHOTOS = 1_000  # that are hashed
CROPPED = 200  # photos in the index of crops
QUERIES = 10  # crops of a call
KEYPOINTS = 200
PROCESSES = 4  # of each version that answer calls in turn

Used: TypeAlias = "tuple[float, float, object]"  # wall seconds, CPU seconds, answer
Way: TypeAlias = "Callable[[int], Used]"


@dataclass(frozen=True)
class Setting:
    """What the parts share.

    roots: the checkouts, the old one and this one
    folder: photos
    rows: of the large index
    scratch: folder for what is made
    """

    roots: tuple[Path, Path]
    folder: Path
    rows: int
    scratch: Path

    def photos(self, most: int) -> list[Path]:
        """Return the paths of some photos."""
        return [Path(path) for path in islice(find_images([self.folder]), most)]


def run(root: Path, command: Command) -> Command:
    """Return a command that imports hashlens from a checkout."""
    return ["env", f"PYTHONPATH={root / 'pipelines'}", *command]


# Whole processes


def process(root: Path, command: Command) -> Used:
    """Run a command that prints JSON, as a process."""
    ran = usage(run(root, command))
    answer = ran.answer
    if isinstance(answer, dict):
        answer.pop("steps", None)  # seconds
    return ran.seconds, ran.cpu, answer


@contextmanager
def importing(setting: Setting) -> Iterator[list[Way]]:
    """Import the package."""
    command: Command = [PYTHON, "-c", "import hashlens; print(0)"]
    yield [once(partial(process, root, command)) for root in setting.roots]


@contextmanager
def helping(setting: Setting) -> Iterator[list[Way]]:
    """Show the help."""
    shown = f"{PYTHON} -c '{MAIN}' --help > /dev/null && echo 0"
    yield [once(partial(process, root, ["sh", "-c", shown])) for root in setting.roots]


@contextmanager
def hashing(setting: Setting) -> Iterator[list[Way]]:
    """Hash photos by the command line."""
    folder = setting.scratch / "photos"
    folder.mkdir()
    for number, path in zip(range(PHOTOS), cycle(setting.photos(PHOTOS)), strict=False):
        shutil.copy(path, folder / f"{number:04}{path.suffix}")
    command: Command = [PYTHON, "-c", MAIN, "hash", folder, "--format", "json"]
    yield [once(partial(process, root, command)) for root in setting.roots]


@contextmanager
def grouping(setting: Setting) -> Iterator[list[Way]]:
    """Open a large index, group it, and go through all groups."""
    index = Files(setting.scratch, Families(), setting.rows).index
    command = program("group_index", index, LIMIT, "complete", 0)
    yield [once(partial(process, root, command)) for root in setting.roots]


# Calls in a process that has all loaded


@contextmanager
def serving(root: Path, name: str, *arguments: object) -> Iterator[Way]:
    """Start `version_calls`; its way has it do one call."""
    with subprocess.Popen(
        list(map(str, run(root, program("version_calls", name, *arguments)))),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as served:
        assert served.stdin
        assert served.stdout
        assert served.stdout.readline() == "ready\n", f"{root} did not start"

        def call(_turn: int) -> Used:
            print(file=served.stdin, flush=True)
            wall, cpu, answer = json.loads(served.stdout.readline())
            return wall, cpu, answer

        yield call
        served.stdin.close()


@contextmanager
def both(setting: Setting, name: str, *arguments: object) -> Iterator[list[Way]]:
    """Serve with both versions, each by several processes: one may be faster by its addresses."""
    with ExitStack() as stack:

        def start(root: Path) -> Way:
            calls = [stack.enter_context(serving(root, name, *arguments)) for _ in range(PROCESSES)]
            return lambda turn: calls[turn % PROCESSES](turn)

        yield [start(root) for root in setting.roots]


@contextmanager
def searching(setting: Setting) -> Iterator[list[Way]]:
    """Ask a large index for the ten nearest."""
    with both(setting, "nearest", Files(setting.scratch, Families(), setting.rows).index) as ways:
        yield ways


@contextmanager
def cropping(setting: Setting) -> Iterator[list[Way]]:
    """Search for crops of photos."""
    from PIL import Image

    photos = setting.photos(CROPPED)
    path = setting.scratch / "crops"
    with ImageIndex.open(path, keypoints=KEYPOINTS) as index:
        index.index(photos)
    queries = []
    for number, photo in enumerate(photos[:: len(photos) // QUERIES]):
        image = Image.open(photo).convert("RGB")
        width, height = image.size
        queries.append(setting.scratch / f"query{number}.png")
        image.crop((width // 4, height // 4, width, height)).save(queries[-1])
    with both(setting, "crops", path, *queries) as ways:
        yield ways


PARTS = {
    "import": ("`import hashlens`, process", importing, 15),
    "help": ("`hashlens --help`, process", helping, 15),
    "hash": (f"`hashlens hash` of {PHOTOS:,} photos, process", hashing, 11),
    "search": ("10 nearest of {rows:,} rows, 20 queries", searching, 60),
    "crops": (f"{QUERIES} crops among {CROPPED} photos", cropping, 40),
    "groups": ("groups of {rows:,} rows, process", grouping, 7),
}


def compared(name: str, ways: Sequence[Way], rounds: int) -> tuple[str, ...]:
    """Return the cells of a row: ratios of new to old, pair by pair."""
    before = load()
    found = in_turns(dict(zip(("old", "new"), ways, strict=True)), rounds, warm_up=1)
    pairs = list(zip(found["old"], found["new"], strict=True))
    assert all(old[2] == new[2] for old, new in pairs), f"{name}: the answers differ"
    cells = [name, str(rounds)]
    for kind in (0, 1):
        ratios = sorted(new[kind] / old[kind] for old, new in pairs)
        low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
        cells.append(f"{statistics.median(ratios):.3f} ({low:.3f}-{high:.3f})")
    seconds = [statistics.median(used[0] for used in found[each]) for each in ("old", "new")]
    return (*cells, *(f"{each:.3g}" for each in seconds), before)


def main() -> None:
    """Compare all parts, or some."""
    parser = options(__doc__)
    parser.add_argument("old", type=Path, help="another checkout")
    parser.add_argument("folder", type=Path, help="photos")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rows", type=int, default=MILLION, help="rows of the large index")
    parser.add_argument("--rounds", type=int, help="turns of each version (default: by part)")
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        roots = (asked.old.resolve(), HERE)
        setting = Setting(roots, asked.folder, asked.rows, Path(name))
        for part in asked.only:
            title, making, rounds = PARTS[part]
            with making(setting) as ways:
                row = compared(title.format(rows=asked.rows), ways, asked.rounds or rounds)
            print(*row, sep=" | ", flush=True)
            rows.append(row)
    head = ("what", "pairs", "wall, new / old", "CPU, new / old", "old s", "new s", "load")
    commits = [commit(root) for root in roots]
    text = (
        f"Old: {commits[0]}; new: {commits[1]}. Medians of the ratios of pairs, which took turns, "
        "and their quartiles; below 1 the new version is faster. CPU: all cores and threads. Load: "
        f"that of the machine, before. The answers were equal.\n\n{table(head, rows)}"
    )
    short = "; ".join(f"{row[0]} {row[3].partition(' ')[0]}" for row in rows)
    page = Page("versions", COMMAND, asked.dry)
    page.publish("This version beside an older one", text, f"CPU of new / old: {short}")


def commit(root: Path) -> str:
    """Return the short name of the commit of a checkout."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=8"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return f"`{done.stdout.strip()}`"


if __name__ == "__main__":
    main()
