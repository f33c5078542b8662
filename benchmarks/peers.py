"""The peers of hashing, each in a virtual environment of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HOME = Path(__file__).parent.parent / ".venv-peers"


@dataclass(frozen=True)
class Peer:
    """A package that hashes as well.

    name: what the tables call it; its first word names its environment and its way in
        programs/hash_folder.py
    install: what pip installs
    """

    name: str
    install: tuple[str, ...]

    @property
    def key(self) -> str:
        """Return the name of the environment."""
        return self.name.split()[0].lower()


IMGDD = Peer("imgdd", ("imgdd",))
IMAGEDEDUP = Peer("imagededup", ("imagededup",))
PEERS = (
    Peer("ImageHash loop", ("imagehash",)),
    IMGDD,
    Peer("imagesearch", ("imagesearch",)),
    Peer("OpenCV img_hash", ("opencv-contrib-python-headless",)),
    IMAGEDEDUP,
    Peer("undouble", ("undouble",)),
    Peer("difPy (50 px tensors, no hash)", ("difPy",)),
)


@cache  # what does not install is not tried again
def python_of(peer: Peer, home: Path = HOME) -> tuple[Path | None, str]:
    """Return the interpreter of a peer's environment, or None and why there is none.

    The environment is made, and the peer installed, if it does not exist.
    """
    place = home / peer.key
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
