"""Hash the images of a folder by one package, several times.

Usage: python hash_folder.py PACKAGE FOLDER PASSES

Prints path and hash of each image of the first pass, as `hashlens hash` does, then a line of JSON:
the seconds of each pass, without the start of the process, and the number of images. Runs in the
environment of the package: each way imports only its own.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

Hashes = dict[str, object]


def files(folder: str) -> list[str]:
    """Return the paths of all files in a folder, sorted."""
    return sorted(str(path) for path in Path(folder).rglob("*") if path.is_file())


def by_hashlens(folder: str) -> Callable[[], Hashes]:
    """Hash by hashlens."""
    from hashlens import hash_files

    return lambda: {row["path"]: row["perceptual"] for row in hash_files([folder])}


def by_imagehash(folder: str) -> Callable[[], Hashes]:
    """Hash by a loop over ImageHash."""
    import imagehash
    from PIL import Image

    return lambda: {path: imagehash.phash(Image.open(path)) for path in files(folder)}


def by_imgdd(folder: str) -> Callable[[], Hashes]:
    """Hash by imgdd."""
    import imgdd

    return lambda: imgdd.hash(folder, algo="phash")


def by_imagesearch(folder: str) -> Callable[[], Hashes]:
    """Hash by imagesearch."""
    from imagesearch.algo import Algorithm
    from imagesearch.fingerprint import ImageFingerprint

    def image_hash(path: str) -> object:
        return ImageFingerprint.from_path(Path(path), Algorithm.PHASH).image_hash

    return lambda: {path: image_hash(path) for path in files(folder)}


def by_opencv(folder: str) -> Callable[[], Hashes]:
    """Hash by the img_hash module of OpenCV."""
    import cv2

    hasher = cv2.img_hash.PHash_create()
    return lambda: {
        path: hasher.compute(cv2.imread(path)).tobytes().hex() for path in files(folder)
    }


def by_imagededup(folder: str) -> Callable[[], Hashes]:
    """Hash by imagededup."""
    from imagededup.methods import PHash

    return lambda: PHash(verbose=False).encode_images(folder, recursive=True)


def by_undouble(folder: str) -> Callable[[], Hashes]:
    """Hash by undouble."""
    from undouble import Undouble

    def hashed() -> Hashes:
        model = Undouble(method="phash", hash_size=8)
        model.import_data(folder)
        model.compute_hash()
        return dict(zip(model.results["pathnames"], model.results["img_hash_hex"], strict=False))

    return hashed


def by_difpy(folder: str) -> Callable[[], Hashes]:
    """Build difPy's tensors, which it has in place of hashes."""
    import difPy

    def built() -> Hashes:
        tensors = difPy.build([folder], show_progress=False)
        return dict.fromkeys(tensors._tensor_dictionary, "")

    return built


WAYS = {
    "hashlens": by_hashlens,
    "imagehash": by_imagehash,
    "imgdd": by_imgdd,
    "imagesearch": by_imagesearch,
    "opencv": by_opencv,
    "imagededup": by_imagededup,
    "undouble": by_undouble,
    "difpy": by_difpy,
}


def main() -> None:
    """Hash, and print."""
    package, folder, passes = sys.argv[1:]
    hashed = WAYS[package](folder)
    seconds: list[float] = []
    images = 0
    for number in range(int(passes)):
        began = time.perf_counter()
        hashes = hashed()
        if not number:
            print("\n".join(f"{path} {value}" for path, value in hashes.items()))
        seconds.append(time.perf_counter() - began)
        images = len(hashes)
    print(json.dumps({"seconds": seconds, "images": images}))


if __name__ == "__main__":
    main()
