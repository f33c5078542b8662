from __future__ import annotations

import json

import pytest

from hashlens import IndexingError, ParameterError, PerceptualHash
from hashlens.hashing.hasher import Hasher
from hashlens.rows.settings import Settings, require_same, settings_of


def test_settings_survive_their_flat_form():
    hashes = (PerceptualHash("whash", image_scale=64), PerceptualHash("color"))
    made = Settings(Hasher(hashes, "exact", upright=False), "levenshtein", pixel_digests=True)
    assert Settings.of(made.values()) == made
    assert Settings.of(json.loads(json.dumps(made.values()))) == made
    assert made.digits == {"text": 16, "color": 11}


def test_a_configuration_names_classes_and_needs_no_model():
    config = Settings().config("duckdb", batch=10)
    assert config["content"] == "hashlens.database.DuckDB"
    assert config["keyword"] is False
    assert config["defaults"] is False
    assert config["batch"] == 10
    assert settings_of(config, "it").values() == Settings().values()


@pytest.mark.parametrize(
    "values",
    [
        {"metric": "bogus"},
        {"algorithm": "bogus"},
        {"hash_size": 1},
        {"bogus": 1},
        {"grade": "bogus"},
        {"upright": "no"},
        {"thumbnails": 1},
        {"pixel_digests": None},
        {"also": "color"},
        {"also": ["bogus"]},
        {"also": [{"algorithm": "color", "bogus": 1}]},
    ],
)
def test_settings_that_cannot_work_are_refused(values):
    with pytest.raises(ParameterError):
        Settings.of(values)


def test_unknown_content_is_refused():
    with pytest.raises(ParameterError, match="content must be one of sqlite, duckdb"):
        Settings().config("postgres")


def test_a_foreign_index_is_refused():
    with pytest.raises(IndexingError, match="was not made by hashlens"):
        settings_of({"content": True}, "somewhere")


@pytest.mark.parametrize(
    ("asked", "same"),
    [
        ({}, True),
        ({"algorithm": "phash"}, True),
        ({"hash_size": 8, "metric": "hamming"}, True),
        ({"hash_size": 16}, False),
        ({"algorithm": "dhash"}, False),
        ({"metric": "levenshtein"}, False),
        ({"thumbnails": True}, False),
        ({"grade": "exact"}, False),
        ({"upright": False}, False),
        ({"also": ["color"]}, False),
        ({"also": [], "grade": "fast"}, True),
    ],
)
def test_other_settings_than_an_index_has_are_refused_by_name(asked, same):
    if same:
        require_same(Settings(), asked, "it")
    else:
        with pytest.raises(IndexingError, match=f"it was made with {next(iter(asked))} = "):
            require_same(Settings(), asked, "it")


def test_a_column_holds_one_hash_of_one_length():
    with pytest.raises(ParameterError, match="a column of its own"):
        Settings.of({"also": ["color", "colorhash"]}).maker()
    with pytest.raises(ParameterError, match="no fixed number of bits"):
        Settings.of({"also": ["crop-resistant"]}).maker()
    Settings.of({"also": [{"algorithm": "perceptual", "hash_size": 16}]}).maker()
