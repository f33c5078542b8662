"""Time the commands as whole processes, start included, beside `import txtai`.

    python benchmarks/startup.py [FOLDER] [--rounds N] [--dry]

FOLDER holds photos (default: the photos of scikit-image, with copies).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

from results import Page, ratio, table
from runs import options
from timing import HASHLENS, PYTHON, Command, in_turns, output, seconds_of

COMMAND = "python benchmarks/startup.py FOLDER"
IMPORT = "`python -c 'import txtai'`"
SEARCH = "`hashlens search IMAGE`"


def shipped(folder: Path) -> Path:
    """Write the photos of scikit-image to a folder, with copies."""
    sys.path.insert(0, str(Path(__file__).parent.parent / "notebooks"))
    import photos

    photos.write(folder)
    return folder


def commands(photo: Path, folder: Path, index: Path) -> dict[str, Command]:
    """Return the commands to time on an index of a folder."""
    return {
        IMPORT: [PYTHON, "-c", "import txtai"],
        SEARCH: [HASHLENS, "search", photo, "--index", index],
        "`hashlens search HASH`": [HASHLENS, "search", "f" * 16, "--index", index],
        "`hashlens sql QUERY`": [HASHLENS, "sql", "select id from txtai", "--index", index],
        "`hashlens index FOLDER`, nothing new": [HASHLENS, "index", folder, "--index", index],
        "`hashlens --help`": [HASHLENS, "--help"],
    }


def main() -> None:
    """Run all."""
    parser = options(__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="photos")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each command")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        folder = asked.folder or shipped(home / "photos")
        photos = sorted(path for path in folder.rglob("*") if path.is_file())
        output([HASHLENS, "index", folder, "--index", home / "index"])
        calls = {
            name: seconds_of(partial(output, command))
            for name, command in commands(photos[0], folder, home / "index").items()
        }
        times = in_turns(calls, asked.rounds, warm_up=1)  # which reads files from the disk
    base = statistics.median(times[IMPORT])
    rows = [
        (
            *(name, f"{statistics.median(seconds):.3f}", f"{min(seconds):.3f}"),
            *(f"{max(seconds):.3f}", f"{ratio(base, statistics.median(seconds))} as long"),
        )
        for name, seconds in times.items()
    ]
    text = (
        f"An index of {len(photos)} photos, {asked.rounds} runs of each in turn, process start "
        "included.\n\n" + table(("command", "median s", "min", "max", "import txtai takes"), rows)
    )
    search = statistics.median(times[SEARCH])
    Page("startup", COMMAND, asked.dry).publish(
        "Whole commands", text, f"{SEARCH} {search:.3f} s, {IMPORT} {ratio(base, search)} as long"
    )


if __name__ == "__main__":
    main()
