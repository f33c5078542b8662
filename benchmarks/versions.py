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
from hashing_files import linked
from results import Page, load, table
from runs import MILLION, options
from timing import PYTHON, Command, in_turns, once, program, usage

from hashlens import ImageIndex
from hashlens.images.walk import find_images

COMMAND = "python benchmarks/versions.py OLD FOLDER"
HERE = Path(__file__).parent.parent
MAIN = "from hashlens.cli import main; main()"
PHOTOS = 1_000  # that are hashed
INDEXED = 10_000  # that are read into an index
SCANNED = 100_000  # that have not changed since they were indexed
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


def index_command(root: Path, folder: Path, index: Path, *, anew: bool) -> Command:
    """Return a command that indexes a folder; this version also leaves out what a pattern fits."""
    exclude = "--exclude '*.part'" if root == HERE else ""
    begin = f"rm -rf {index} && " if anew else ""
    call = f"{PYTHON} -c '{MAIN}' index {folder} --index {index} {exclude}"
    return ["sh", "-c", f"{begin}{call} > /dev/null 2>&1 && echo 0"]


@contextmanager
def indexing(setting: Setting) -> Iterator[list[Way]]:
    """Index photos by the command line."""
    folder = linked(setting.photos(PHOTOS), setting.scratch / "indexed", INDEXED)
    index = setting.scratch / "made"
    yield [
        once(partial(process, root, index_command(root, folder, index, anew=True)))
        for root in setting.roots
    ]
    shutil.rmtree(index)


@contextmanager
def scanning(setting: Setting) -> Iterator[list[Way]]:
    """Index photos of which none has changed; each version has an index of its own."""
    folder = linked(setting.photos(PHOTOS), setting.scratch / "unchanged", SCANNED)
    ways = []
    for number, root in enumerate(setting.roots):
        index = setting.scratch / f"scanned{number}"
        process(root, index_command(root, folder, index, anew=True))
        again = index_command(root, folder, index, anew=False)
        ways.append(once(partial(process, root, again)))
    yield ways


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
    "import": ("Import", importing, 15),
    "help": ("Help", helping, 15),
    "hash": (f"Hashes of {PHOTOS:,} photos", hashing, 11),
    "index": (f"Index of {INDEXED:,} photos", indexing, 11),
    "scan": (f"Index of {SCANNED:,} photos of which none has changed", scanning, 11),
    "search": ("The 10 nearest of {rows:,} rows", searching, 60),
    "crops": (f"Crops among {CROPPED} photos", cropping, 40),
    "groups": ("Groups of {rows:,} rows", grouping, 7),
}


def compared(ways: Sequence[Way], rounds: int) -> tuple[str, ...]:
    """Return the cells of a row: ratios of new to old, pair by pair."""
    before = load()
    found = in_turns(dict(zip(("old", "new"), ways, strict=True)), rounds, warm_up=1)
    pairs = list(zip(found["old"], found["new"], strict=True))
    assert all(old[2] == new[2] for old, new in pairs), "the answers differ"
    cells = [str(rounds)]
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
    with tempfile.TemporaryDirectory() as name:
        setting = Setting((asked.old.resolve(), HERE), asked.folder, asked.rows, Path(name))
        for part in asked.only:
            title, making, rounds = PARTS[part]
            title = title.format(rows=asked.rows)
            with making(setting) as ways:
                row = compared(ways, asked.rounds or rounds)
            publish(Page("versions", COMMAND, asked.dry), title, row, setting.roots)


def publish(page: Page, title: str, row: Sequence[str], roots: Sequence[Path]) -> None:
    """Publish what a part measured."""
    head = ("pairs", "wall, new / old", "CPU, new / old", "old s", "new s", "load")
    old, new = map(commit, roots)
    text = (
        f"Old: {old}; new: {new}. Medians of the ratios of pairs, which took turns, and their "
        "quartiles; below 1 the new version is faster. CPU: all cores and threads. Load: that of "
        f"the machine, before. The answers were equal.\n\n{table(head, [row])}"
    )
    page.publish(title, text, f"CPU, new / old: {row[2]}")


def commit(root: Path) -> str:
    """Return the short name of the commit of a checkout."""
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=8"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return f"`{done.stdout.strip()}`"


if __name__ == "__main__":
    main()
