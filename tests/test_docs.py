"""The docs say what there is: each command, key, column and public name, and the two commands."""

from __future__ import annotations

import builtins
import doctest
import random
import re
import typing
from pathlib import Path

import click
import pytest
import yaml
from txtai.app import Application
from txtai.embeddings import Embeddings

import hashlens
from hashlens.cli.app import app
from hashlens.hashing.algorithms import ALGORITHMS
from hashlens.rows.settings import Settings

ROOT = Path(__file__).parent.parent
HOME = Path(hashlens.__file__).parent
TOP = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
PROSE = {path.name: path.read_text() for path in [*TOP, *ROOT.glob("docs/*.md")]}


def keys(tree: dict, prefix: str = ""):
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name in ("embeddings", "embeddings.hashlens", "hashlens"):
            yield from keys(value, f"{name}.")
        else:
            yield name


def test_the_readme_shows_two_commands():
    commands = re.findall(r"^(make \w+)", PROSE["README.md"], re.MULTILINE)
    assert commands == ["make demo", "make test"]


@pytest.mark.parametrize("command", app.commands)
def test_each_command_has_help_and_stands_in_the_docs(command):
    assert app.commands[command].help
    assert f"`hashlens {command}" in PROSE["cli.md"]
    for option in app.commands[command].params:
        if isinstance(option, click.Option):
            assert option.help, f"--{option.name} of {command} has no help"


@pytest.mark.parametrize("key", list(keys(yaml.safe_load((ROOT / "config.yml").read_text()))))
def test_each_key_of_config_yml_stands_in_the_docs(key):
    assert f"`{key}`" in PROSE["configuration.md"]


@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda item: item.name)
def test_each_algorithm_and_parameter_stands_in_the_guide(algorithm):
    line = next(line for line in PROSE["guide.md"].splitlines() if f"| `{algorithm.name}`" in line)
    for parameter in algorithm.parameters:
        assert parameter.name in line


def test_each_column_stands_in_the_reference(index):
    row = index.sql("select * from txtai limit 1")[0]
    for column in {*row, *index.search(row["text"])[0].row, "skipped"} - {"data", "score"}:
        assert f"`{column}`" in PROSE["sql.md"], column


def test_each_setting_stands_in_the_docs():
    for name in Settings().values():
        assert name in PROSE["configuration.md"] + PROSE["guide.md"]


@pytest.mark.parametrize("name", hashlens.__all__)
def test_each_public_name_has_a_docstring(name):
    assert name == "SQL_FUNCTIONS" or getattr(hashlens, name).__doc__


def sections(text: str) -> dict[str, str]:
    """Return the prose of each section, without its code, by heading."""
    parts = re.split(r"^#{3,4} `?(.+?)`?\n", text, flags=re.MULTILINE)
    return {
        heading: re.sub(r"```.*?```|^## .*|<!--.*?-->", "", body, flags=re.DOTALL | re.MULTILINE)
        for heading, body in zip(parts[1::2], parts[2::2], strict=True)
    }


def test_each_public_name_has_a_section_in_the_reference():
    assert {name for name in sections(PROSE["api.md"]) if "." not in name} == {*hashlens.__all__}


@pytest.mark.parametrize("name", sections(PROSE["api.md"]))
def test_each_section_of_the_reference_says_something(name):
    assert re.match(r"\s*[A-Z]\w*\W", sections(PROSE["api.md"])[name])


def test_the_reference_explains_each_type_in_its_signatures():
    code = re.findall(r"```python\n(.*?)```|^- `(.*?)`", PROSE["api.md"], re.DOTALL | re.MULTILINE)
    used = set(re.findall(r"\b[A-Z]\w+", " ".join(map("".join, code))))
    table = "".join(line for line in PROSE["api.md"].splitlines() if line.startswith("| `"))
    explained = set(re.findall(r"`(\w+)`", table))
    known = {*dir(builtins), *dir(typing), "DataFrame", "Image", "PathLike"}
    assert used - known - {*hashlens.__all__} <= explained, "an unexplained type"


def test_links_lead_somewhere():
    for name, text in PROSE.items():
        folder = ROOT if ROOT / name in TOP else ROOT / "docs"
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (folder / target).exists(), f"{name}: {target}"


def test_contributing_names_every_room_with_all_of_its_modules():
    text = PROSE["CONTRIBUTING.md"]
    rooms = re.findall(r"^\*\*`(\w+)/`\*\*(.*?)\n\n", text, re.DOTALL | re.MULTILINE)
    folders = {path.parent.name for path in HOME.glob("*/__init__.py")}
    assert {room for room, _ in rooms} == folders
    named = {
        f"{room}/{name}" for room, words in rooms for name in re.findall(r"`(\w+\.\w+)`", words)
    }
    named |= set(re.findall(r"`((?:hashlens/)?\w+/[\w/]+\.py)`", text))
    modules = {str(path.relative_to(HOME)) for path in HOME.glob("*/*.py")}
    assert modules - {f"{room}/__init__.py" for room in folders} <= named
    for name in named:
        places = HOME / name, HOME.parent / name, ROOT / name
        assert any(place.is_file() for place in places), name
    assert {path.name for path in HOME.glob("[a-z]*.py")} <= set(re.findall(r"`(\w+\.py)`", text))


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PROSE[name], re.DOTALL)


@pytest.fixture
def here(folder, tmp_path, monkeypatch):
    """A folder with an index of two hashes, and a copy to look for."""
    monkeypatch.chdir(tmp_path)
    (folder / "copies" / "recoded.jpg").rename(tmp_path / "copy.jpg")
    (folder / "copies" / "again.jpg").write_bytes((tmp_path / "copy.jpg").read_bytes())
    with hashlens.ImageIndex.open("photos.index", also=["color"], keypoints=50) as index:
        index.index([folder])
        yield index


def test_the_examples_for_stock_txtai_run(tmp_path):
    (settings,) = blocks("sql.md", "yaml")
    application = Application(f"writable: true\n{settings}")
    application.add([{"id": "a", "text": "ff00"}, {"id": "b", "text": "ff01"}])
    application.index()
    query = "select id, distance(text, 'ff03') d from txtai order by d limit 2"
    assert application.search(query) == [{"id": "b", "d": 1}, {"id": "a", "d": 2}]
    assert application.embeddings.database.explanation.way == "packed codes"
    (plain,) = [block for block in blocks("sql.md", "python") if "SQL_FUNCTIONS" in block]
    names: dict = {"Embeddings": Embeddings}
    exec(plain.replace("Embeddings(", "made = Embeddings("), names)  # noqa: S102
    names["made"].index([("a", "ff00", None), ("b", "ff01", None)])
    assert [row["id"] for row in names["made"].search(query)] == ["b", "a"]


@pytest.mark.parametrize("query", "".join(blocks("sql.md", "sql")).splitlines())
def test_each_query_of_the_reference_runs(here, query):
    given = {name: Path("copy.jpg") for name in re.findall(r":(\w+)", query)}
    rows = here.sql(query, given)
    assert rows or " where " in query or "offset" in query
    if "similar(" in query and "distance" not in query:
        assert {Path(row["path"]).name for row in rows} >= {"0.png", "again.jpg"}
    assert here.explain(query, given).way in ("packed codes", "full scan")


def test_the_shapes_that_the_reference_calls_quick_are(here):
    table = PROSE["sql.md"].partition("| accelerated |")[2].partition("\n\n")[0]
    shapes = re.findall(r"`((?:where|order by|select)[^`]*)`", table)
    assert len(shapes) == 5
    for shape in shapes:
        query = shape
        if not shape.startswith("select"):
            query = f"select path, distance(text, :q) bits from txtai {shape}"
        assert here.explain(query, {"q": Path("copy.jpg")}).way == "packed codes", shape


def test_the_examples_of_explain_give_what_they_show(here):
    (text,) = blocks("sql.md", "pycon")
    example = doctest.DocTestParser().get_doctest(
        text, {"index": here, "Path": Path}, "sql.md", "sql.md", 0
    )
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert len(example.examples) == 2
    assert not runner.run(example).failed


def test_the_recipe_for_similar_gives_the_nearest_in_stock_txtai(tmp_path, monkeypatch):
    (recipe,) = [block for block in blocks("sql.md", "python") if "signs" in block]
    names: dict = {}
    exec(recipe, names)  # noqa: S102
    assert [row["id"] for row in names["rows"]] == ["first", "second"]
    assert [row["score"] for row in names["rows"]] == [1 - 1 / 64, 1 - 15 / 64]
    monkeypatch.setenv("ALLOW_RESOLVE_TRANSFORM", "1")
    draw = random.Random(5)  # noqa: S311
    texts = [format(draw.getrandbits(64), "016x") for _ in range(6000)]
    path = {**names["embeddings"].config, "transform": "hashlens.neighbors.signs"}
    kept = {key: path[key] for key in ("method", "transform", "content", "keyword", "quantize")}
    stock = names["Embeddings"](**kept, faiss={"components": "BFlat"})
    stock.index([(str(n), text, None) for n, text in enumerate(texts)])
    stock.save(str(tmp_path / "stock"))
    loaded = names["Embeddings"]()
    loaded.load(str(tmp_path / "stock"))
    query = "select text, score from txtai where similar(:q, 20) limit 20"
    found = loaded.search(query, parameters={"q": texts[7]})
    assert [round(64 * (1 - row["score"])) for row in found] == sorted(
        hashlens.distance(text, texts[7]) for text in texts
    )[:20]


def test_the_guide_s_example_of_neighbours_runs():
    (example,) = [block for block in blocks("guide.md", "python") if "neighbors" in block]
    names: dict = {}
    exec(example, names)  # noqa: S102
    assert names["found"] == [(0, 1)]
    assert names["groups"].labels.tolist() == [0, 0, 2]
