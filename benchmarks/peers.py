"""The peers of hashing, each in a virtual environment of its own, and how each is called.

A peer's program takes a folder and a number of passes. It prints path and hash of every image of
the first pass, as `hashlens hash` does, and at last a line of JSON: the seconds of each pass, the
process start not counted, and how many images it hashed.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

FRAME = """
import json, sys, time
from pathlib import Path
folder, passes = sys.argv[1], int(sys.argv[2])
def files(): return sorted(str(path) for path in Path(folder).rglob("*") if path.is_file())
{setup}
def main():
    seconds = []
    for number in range(passes):
        began = time.perf_counter()
        hashes = hashed()
        if not number:
            print("\\n".join(f"{{path}} {{value}}" for path, value in hashes.items()))
        seconds.append(time.perf_counter() - began)
    print(json.dumps({{"seconds": seconds, "images": len(hashes)}}))
if __name__ == "__main__":
    main()
"""


@dataclass(frozen=True)
class Peer:
    """A peer: what pip installs, and the code that defines `hashed()`."""

    name: str
    install: tuple[str, ...]
    setup: str

    def program(self) -> str:
        """Return the whole program."""
        return FRAME.format(setup=self.setup)


PEERS = (
    Peer(
        "ImageHash loop",
        ("imagehash",),
        "import imagehash\nfrom PIL import Image\n"
        "def hashed(): return {f: imagehash.phash(Image.open(f)) for f in files()}",
    ),
    Peer(
        "imgdd",
        ("imgdd",),
        "import imgdd\ndef hashed(): return imgdd.hash(folder, algo='phash')",
    ),
    Peer(
        "imagesearch",
        ("imagesearch",),
        "from imagesearch.fingerprint import ImageFingerprint\n"
        "from imagesearch.algo import Algorithm\n"
        "def hashed(): return {f: ImageFingerprint.from_path(Path(f), Algorithm.PHASH).image_hash "
        "for f in files()}",
    ),
    Peer(
        "OpenCV img_hash",
        ("opencv-contrib-python-headless",),
        "import cv2\nhasher = cv2.img_hash.PHash_create()\n"
        "def hashed(): return {f: hasher.compute(cv2.imread(f)).tobytes().hex() for f in files()}",
    ),
    Peer(
        "imagededup",
        ("imagededup",),
        "from imagededup.methods import PHash\n"
        "def hashed(): return PHash(verbose=False).encode_images(folder, recursive=True)",
    ),
    Peer(
        "undouble",
        ("undouble",),
        "from undouble import Undouble\n"
        "def hashed():\n"
        "    model = Undouble(method='phash', hash_size=8)\n"
        "    model.import_data(folder)\n"
        "    model.compute_hash()\n"
        "    return dict(zip(model.results['pathnames'], model.results['img_hash_hex']))",
    ),
    Peer(
        "difPy (50 px tensors, no hash)",
        ("difPy",),
        "import difPy\n"
        "def hashed():\n"
        "    built = difPy.build([folder], show_progress=False)\n"
        "    return {path: '' for path in built._tensor_dictionary}",
    ),
)

# hashlens called again and again from one process.
OURS_WARM = (
    "from hashlens import hash_files\n"
    "def hashed(): return {row['path']: row['perceptual'] for row in hash_files([folder])}"
)


# imagededup's own searches: hashes, and the rows to look for, in; seconds and hits out.
IMAGEDEDUP_JOIN = """
import json, sys, time
from imagededup.methods import PHash
path, method, limit = sys.argv[1:]
texts, sample = json.load(open(path))
hashes = {str(row): text for row, text in enumerate(texts)}
modules = {"BKTree": "bktree", "BruteForceCython": "brute_force_cython"}
module = __import__(f"imagededup.handlers.search.{modules[method]}", fromlist=[method])
built = getattr(module, method)(hashes, PHash.hamming_distance)
began = time.perf_counter()
hits = sum(len(built.search(texts[row], int(limit))) for row in sample)
print(json.dumps([time.perf_counter() - began, hits]))
"""


def python_of(peer: Peer, home: Path) -> tuple[Path | None, str]:
    """Return the interpreter of a peer's environment, made if need be; or None and the reason."""
    place = home / peer.name.split()[0].lower()
    python = place / "bin" / "python"
    done = place / "installed"
    if not done.exists():
        print(f"installing {peer.name} …", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        try:
            installed = subprocess.run(
                [*pip, *peer.install], capture_output=True, text=True, timeout=1800
            )
        except subprocess.TimeoutExpired:
            return None, "was not installed in half an hour"
        if installed.returncode:
            return None, f"does not install: {installed.stderr.strip().splitlines()[-1]}"
        done.touch()
    return python, ""
