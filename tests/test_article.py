"""The code of the txtai article "Near duplicate image detection", run on our parts.

It differs where it must run offline and be saved: no sentence model is loaded, our function stands
in the configuration by its path, and the search states a limit.
"""

from __future__ import annotations

import pytest
import textdistance
from PIL import Image
from txtai.embeddings import Embeddings

from drawing import draw
from hashlens import ImageHash
from hashlens.hashing.metrics import total_distance

MODEL_FREE = {"content": True, "keyword": False, "defaults": False, "objects": "image"}


def distance(a, b):
    """The rules of the article's function, under its name and in its metric."""
    if not a or not b:
        return len(a or "") + len(b or "")
    return int(textdistance.levenshtein.distance(a, b))


@pytest.fixture
def images(tmp_path):
    opened = []
    for seed in range(10):
        draw(seed, (320, 240)).save(tmp_path / f"{seed}.jpg")
        opened.append(Image.open(tmp_path / f"{seed}.jpg"))
    yield opened
    for image in opened:
        image.close()


@pytest.fixture
def search(images):
    """A section out of the middle of an image."""
    width, height = images[3].size
    left, top = (width - width / 1.1) / 2, (height - height / 1.1) / 2
    return images[3].crop((left, top, (width + width / 1.1) / 2, (height + height / 1.1) / 2))


LEVENSHTEIN = {"name": "distance", "function": "hashlens.sql.levenshtein"}


@pytest.mark.parametrize("function", [distance, LEVENSHTEIN], ids=["its own", "ours"])
def test_the_article_runs_and_finds_the_full_image(images, search, function, tmp_path):
    ihash = ImageHash()
    hashes = ihash(images)
    shash = ihash(search)
    nearest = min(range(len(hashes)), key=lambda n: distance(hashes[n], shash))
    assert nearest == 3

    embeddings = Embeddings({**MODEL_FREE, "functions": [function]})
    embeddings.index(
        [(uid, {"object": image, "text": ihash(image)}, None) for uid, image in enumerate(images)]
    )
    query = f"select object from txtai order by distance(text, '{shash}')"
    assert embeddings.search(query)[0]["object"].size == images[3].size

    ordered = (
        f"select id, distance(text, '{shash}') d from txtai order by distance(text, '{shash}'), id"
    )
    rows = embeddings.search(ordered, len(images))
    expected = sorted((distance(text, shash), str(n)) for n, text in enumerate(hashes))
    assert [(row["d"], row["id"]) for row in rows] == expected

    if function is LEVENSHTEIN:
        embeddings.save(str(tmp_path / "index"))
        again = Embeddings().load(str(tmp_path / "index"))
        assert again.search(ordered, len(images)) == rows
        assert again.search(query)[0]["object"].size == images[3].size
        again.close()
    embeddings.close()


@pytest.mark.parametrize(
    ("a", "b"), [(None, None), ("ab", ""), ("", "abc"), ("ab", None), ("ab", "ad")]
)
def test_missing_hashes_are_where_the_article_puts_them(a, b):
    assert total_distance(a, b, "levenshtein") == distance(a, b)
