"""The configured run: `config.yml` in stock txtai, in `hashlens run`, and behind txtai's API."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from txtai.app import Application
from txtai.embeddings import Embeddings

import hashlens
from drawing import draw
from hashlens import ImageHash, ImageIndex, IndexingError, ParameterError, Plan, QueryError
from hashlens.workflows.application_file import STEPS
from hashlens.workflows.run import run
from running import hashlens as hashlens_command

CONFIG = Path(__file__).parents[2] / "config.yml"


@pytest.fixture
def home(folder, tmp_path, monkeypatch):
    """A folder to work in, with the project's own config.yml."""
    shutil.copy(CONFIG, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_a_pattern_fits_is_left_out_by_a_run(home, folder):
    settings = yaml.safe_load((home / "config.yml").read_text())
    settings["hashlens.ImageRows"] = {
        **settings["hashlens.ImageRows"],
        "exclude": ["*.bmp", "sub/"],
    }
    (folder / "sub").mkdir()
    draw(1).save(folder / "sub" / "left.png")
    draw(2).save(folder / "2.bmp")
    (home / "config.yml").write_text(yaml.safe_dump(settings))
    run("config.yml", [str(folder)])
    with ImageIndex.open(settings["path"]) as index:
        names = {Path(row["path"]).name for row in index.sql("select path from txtai")}
        assert names
        assert not names & {"left.png", "2.bmp"}


NEAREST = "select path, distance(text, 'ffffffffffffffff') d from txtai order by d, path"
APPLICATION = f"""
import json, sys
from txtai.app import Application
from txtai.embeddings import Embeddings
rows = list(Application("config.yml").workflow("index", [sys.argv[1]]))
found = Embeddings().load(".hashlens").search({NEAREST!r}, 20)
print(json.dumps([len(rows), found]))
"""


def with_application(folder):
    """Index with txtai alone; return how many rows there were, and what a query finds."""
    rows = list(Application("config.yml").workflow("index", [str(folder)]))
    with Embeddings().load(".hashlens") as stock:
        return len(rows), stock.search(NEAREST, 20)


def with_application_in_a_process(folder):
    """As `with_application`, where nobody has imported hashlens."""
    command = [sys.executable, "-c", APPLICATION, folder]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "index",
    [with_application, pytest.param(with_application_in_a_process, marks=pytest.mark.slow)],
)
def test_stock_application_and_run_make_the_same_index(home, folder, index):
    count, first = index(folder)
    assert count == 11
    shutil.rmtree(".hashlens")
    found = run("config.yml", [str(folder)])
    plan = found.pop("plan")
    assert found == {
        "workflow": "index",
        "elements": 1,
        "index": ".hashlens",
        "rows": 11,
        "results": 11,
        "groups": 1,
        "links": 0,
        "html": "hashlens-report.html",
    }
    assert plan["file"] == "hashlens-plan.jsonl"
    assert plan["quarantine"]["files"] == 3
    again = Embeddings().load(".hashlens")
    assert again.search(NEAREST, 20) == first
    again.close()
    assert [row["d"] for row in first] == sorted(row["d"] for row in first)
    with ImageIndex.open(".hashlens", create=False) as index:
        assert index.search(folder / "1.png", limit=1)[0].path == str(folder / "1.png")


def test_a_second_run_adds_to_the_index(home, folder):
    run("config.yml", [str(folder)])
    draw(60).save(folder / "60.png")
    assert run("config.yml", [str(folder)])["rows"] == 12


def test_elements_and_workflow_may_stand_in_the_file(home, folder):
    settings = yaml.safe_load(CONFIG.read_text())
    settings["hashlens"] = {"workflow": "index", "elements": str(folder)}
    Path("own.yml").write_text(yaml.safe_dump(settings))
    assert run("own.yml")["rows"] == 11


def test_a_search_workflow_takes_queries_and_gives_rows(home, folder):
    run("config.yml", [str(folder)])
    settings = yaml.safe_load(CONFIG.read_text())
    settings["workflow"]["ask"] = {"tasks": [{"action": "search"}]}
    Path("own.yml").write_text(yaml.safe_dump(settings))
    done = run("own.yml", ["select id from txtai order by id limit 2"], workflow="ask")
    assert [row["id"] for row in done["results"]] == sorted(map(str, folder.rglob("*.*")))[:2]


def test_a_run_waits_for_no_other_writer(home, folder):
    with (
        ImageIndex.open(".hashlens") as index,
        index._store.writing(),
        pytest.raises(IndexingError, match="is writing"),
    ):
        run("config.yml", [str(folder)])


def test_the_hash_workflow_gives_hashes(home, folder):
    paths = [str(folder / "0.png"), str(folder / "1.png")]
    found = Application("config.yml").workflow("hash", paths)
    assert list(found) == ImageHash("perceptual")(paths)
    done = run("config.yml", paths, workflow="hash")
    assert done["results"] == ImageHash("perceptual")(paths)


@pytest.mark.parametrize(
    ("text", "arguments", "message"),
    [
        (None, ["x"], "No such file"),
        ("a: [", ["x"], "is not YAML"),
        ("just words", ["x"], "not a txtai application file"),
        ("1: x", ["x"], "not a txtai application file"),
        ("workflow: [1, 2]", ["x"], "workflow must hold keys"),
        ("hashlens: x", ["x"], "hashlens must hold keys"),
        ("workflow: {a: {tasks: []}}\nembeddings: x", ["."], "embeddings must hold keys"),
        ("writable: true", ["x"], "has 0 workflows"),
        ("workflow: {a: {tasks: []}, b: {tasks: []}}", ["x"], "has 2 workflows (a, b); name one"),
        ("hashlens: {workflow: a}", ["x"], "has no workflow 'a'"),
        ("workflow: {a: {tasks: []}}", [], "names no elements"),
        ("workflow: {a: {tasks: [hashlens.ImageRows]}}", ["nowhere"], "no such file or directory"),
    ],
)
def test_a_file_that_cannot_be_run_is_an_error_that_says_why(home, text, arguments, message):
    if text is not None:
        Path("own.yml").write_text(text)
    with pytest.raises(ParameterError) as caught:
        run("own.yml", arguments)
    assert message in str(caught.value)


def test_a_workflow_that_fails_is_an_error_that_says_why(home, folder):
    settings = yaml.safe_load(CONFIG.read_text())
    settings["writable"] = False
    Path("own.yml").write_text(yaml.safe_dump(settings))
    with pytest.raises(QueryError, match=r"workflow 'index' of own.yml failed: .*read-only"):
        run("own.yml", [str(folder)])
    settings["embeddings"]["hashlens"]["hash_size"] = 1
    Path("own.yml").write_text(yaml.safe_dump(settings))
    with pytest.raises(ParameterError, match="hash_size must be"):
        run("own.yml", [str(folder)])


def own_config(**steps):
    """Write the project's own file with other steps after the workflow."""
    settings = yaml.safe_load(CONFIG.read_text())
    settings["hashlens"] = {"workflow": "index", **steps}
    Path("own.yml").write_text(yaml.safe_dump(settings))
    return "own.yml"


def test_groups_report_and_plan_come_after_the_workflow(home, folder):
    (folder / "aside").mkdir()
    draw(0).save(folder / "aside" / "0.gif")
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    steps = {
        "groups": {"max_distance": 8, "keep": "lossless, bytes", "not_same_folder": True},
        "report": {"html": "r.html", "mosaics": "m"},
        "plan": {"action": "move", "to": "to", "protect": [str(folder / "aside")], "out": "p.csv"},
    }
    done = run(own_config(**steps), [str(folder)])
    with ImageIndex.open(".hashlens", create=False) as index:
        found = index.groups(8, keep=["lossless", "bytes"], not_same_folder=True)
    assert (done["groups"], done["links"]) == (len(found), 0) == (1, 0)
    assert done["plan"]["file"] == "p.csv"
    plan = Plan.read("p.csv")
    assert plan == found.plan("move", to="to", protect=[folder / "aside"])
    assert done["plan"]["move"]["files"] == len(plan.steps) - done["plan"]["keep"] == 3
    assert (done["html"], done["mosaics"]) == ("r.html", len(list(Path("m").iterdir())))
    assert "0.gif" in Path("r.html").read_text()
    assert {path: path.read_bytes() for path in folder.rglob("*.*")} == before


def test_a_run_after_a_plan_was_applied_sees_what_is_left_and_writes_another_plan(home, folder):
    first = run("config.yml", [str(folder)])
    done = hashlens.apply(first["plan"]["file"]).done
    assert done == first["plan"]["quarantine"]["files"] == 3
    second = run("config.yml", [str(folder)])
    assert second["plan"] == {"file": "hashlens-plan-2.jsonl", "groups": 0, "keep": 0, "freed": 0}
    assert second["groups"] == 0
    with hashlens.ImageIndex.open(".hashlens") as index:
        assert index.count() == 11 - done
    hashlens.undo("hashlens-plan.journal.jsonl")
    assert len(list(folder.rglob("*.*"))) == 11


def test_steps_are_those_of_the_file_only(home, folder):
    assert "groups" not in run(own_config(), [str(folder)])
    own = own_config(report={"html": "", "mosaics": "m"}, groups={"max_distance": 8})
    done = run(own, [str(folder)])
    assert (done["mosaics"], "html" in done, "plan" in done) == (1, False, False)
    assert "groups" not in run(own, [str(folder / "0.png")], workflow="hash")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (
            {"groups": {"max_distanse": 8}},
            "groups has no max_distanse: did you mean max_distance? known are between, crops",
        ),
        ({"groups": {8: 8}}, "groups has no 8; known are"),
        ({"groups": [8]}, "groups must hold keys, not [8]"),
        ({"report": {}}, "report: html or mosaics is needed"),
        ({"report": {"html": None}}, "report: html or mosaics is needed"),
        ({"plan": {"action": "move", "into": "x"}}, "plan has no into"),
        ({"groups": {"max_distance": "8"}}, "max_distance must be a number >= 0"),
        ({"groups": {"max_distance": 8, "keep": None}}, "rules of what to keep are a list"),
        ({"groups": {"max_distance": 8, "keep": 5}}, "rules of what to keep are a list"),
        ({"groups": {"max_distance": 8, "keep": ["best"]}}, "no rule 'best'"),
        ({"groups": {"max_distance": 8, "linkage": 5}}, "linkage must be one of"),
        ({"groups": {"max_distance": 8}, "plan": {"action": "move"}}, "plan: move needs a folder"),
        ({"gruops": {"turned": True}}, "hashlens has no gruops: did you mean groups? known are"),
        ({"decide": [1]}, "hashlens has no decide; known are elements, groups, plan, report"),
        ({"groups": {}, "apply": True}, "hashlens has no apply; known are"),
        ({"groups": False}, "groups must hold keys, not False"),
        ({"groups": {"verify": "maybe"}}, "groups: verify must be True or False, not 'maybe'"),
        ({"groups": {"crops": 1}}, "groups: crops must be True or False, not 1"),
        ({"groups": {"not_same_folder": "x"}}, "not_same_folder must be True or False, not 'x'"),
        ({"groups": {"workers": 0}}, "groups: workers must be a whole number 1 to 1024, not 0"),
        ({"groups": {"workers": "2"}}, "groups: workers must be a whole number 1 to 1024, not '2'"),
        ({"report": {"html": True}}, "report: html must be a path, not True"),
        ({"report": {"html": "r.html", "verify": "maybe"}}, "report: verify must be True or False"),
        ({"plan": {"verify": "no"}}, "plan: verify must be True or False, not 'no'"),
        ({"plan": {"partners": "maybe"}}, "plan: partners must be True or False, not 'maybe'"),
        ({"plan": {"hard_links": "perhaps"}}, "plan: hard_links must be True or False"),
        ({"plan": {"links": "yes"}}, "plan: links must be True or False, not 'yes'"),
        ({"plan": {"protect": [3]}}, "plan: each of protect must be a path, not 3"),
        ({"plan": {"to": 3}}, "plan: to must be a path, not 3"),
        ({"plan": {"out": 3}}, "plan: out must be a path, not 3"),
        ({"plan": {"out": "p.txt"}}, "plan: p.txt: a plan is a file .jsonl or .csv"),
        ({"workflow": 3}, "hashlens: workflow must be the name of one, not 3"),
        ({"groups": {"max_distance": 8}, "plan": {"action": "explode"}}, "action must be one of"),
    ],
)
def test_steps_that_cannot_be_are_named_before_anything_is_done(home, folder, steps, message):
    with pytest.raises(ParameterError) as caught:
        run(own_config(**steps), [str(folder)])
    assert message in str(caught.value)
    assert not Path(".hashlens").exists()


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ({"groups": {"max_distance": 8, "between": ["a"]}}, "between takes two folders"),
        (
            {"groups": {"max_distance": 8, "between": 5}},
            "between must be a path or a list of paths",
        ),
    ],
)
def test_values_of_steps_that_cannot_be_are_named(home, folder, steps, message):
    with pytest.raises(ParameterError) as caught:
        run(own_config(**steps), [str(folder)])
    assert message in str(caught.value)


@pytest.mark.parametrize("elements", [3, {"a": 1}, ["a", 3]])
def test_elements_that_are_no_texts_are_named(home, elements):
    with pytest.raises(ParameterError, match="hashlens: elements must be a list of texts"):
        run(own_config(elements=elements))


@pytest.mark.parametrize("key", ["hashlense", "Hashlens", "workflows", "embedding"])
def test_a_key_at_the_top_that_is_nearly_ours_is_not_passed_over(home, folder, key):
    settings = yaml.safe_load(CONFIG.read_text())
    right = next(name for name in ("hashlens", "workflow", "embeddings") if name[:5] in key.lower())
    settings[key] = settings.pop(right)
    Path("own.yml").write_text(yaml.safe_dump(settings))
    with pytest.raises(ParameterError, match=f"{key} is no key .*: did you mean {right}?"):
        run("own.yml", [str(folder)])


@pytest.mark.parametrize("plan", [None, {}, {"to": "aside"}, {"action": "delete"}])
def test_a_plan_in_a_file_has_the_defaults_of_the_command_line(home, folder, plan):
    done = run(own_config(groups={"max_distance": 8}, plan=plan), [str(folder)])
    assert done["plan"]["file"] == "plan.jsonl"
    options = [f"--{name}={value}" for name, value in (plan or {}).items()]
    hashlens_command("plan", "--max-distance", "8", *options, "--out", "other.jsonl")
    made = Plan.read("plan.jsonl")
    assert made == Plan.read("other.jsonl")
    with ImageIndex.open(".hashlens", create=False) as index:
        assert made == index.groups(8).plan(**(plan or {}))
    action = (plan or {}).get("action", "quarantine")
    goes = [step.to for step in made.steps if step.action == action]
    place = (plan or {}).get("to", ".hashlens-quarantine")
    assert len(goes) == 3
    assert all(to.startswith(str(home / place)) if action != "delete" else not to for to in goes)


@pytest.mark.parametrize("step", STEPS)
def test_the_documentation_names_every_key_of_a_step(step):
    lines = (CONFIG.parent / "docs" / "configuration.md").read_text().splitlines()
    row = next(line for line in lines if line.startswith(f"| `hashlens.{step}` |"))
    assert {key for key in STEPS[step] if f"`{key}`" not in row} == set()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.slow  # torch is imported
def test_txtai_api_answers_a_distance_query(home, folder):
    run("config.yml", [str(folder)])
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "txtai.api:app", "--port", str(port)],
        env={**os.environ, "CONFIG": "config.yml"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    query = {
        "query": "select path, distance(text, :q) d from txtai order by distance(text, :q) limit 4",
        "parameters": json.dumps({"q": ImageHash("perceptual")(draw(0))}),
    }
    url = f"http://127.0.0.1:{port}/search?{urllib.parse.urlencode(query)}"
    try:
        while True:
            try:
                with urllib.request.urlopen(url) as answer:
                    rows = json.load(answer)
                break
            except OSError:
                assert server.poll() is None
                time.sleep(0.3)

        def ask(_: int) -> object:
            with urllib.request.urlopen(url) as answer:
                return json.load(answer)

        with ThreadPoolExecutor(16) as pool:  # the server answers from as many threads
            assert all(found == rows for found in pool.map(ask, range(200)))
    finally:
        server.terminate()
        server.wait()
    assert rows[0]["d"] == 0
    names = {"0.png", "small.png", "bright.png", "recoded.jpg"}
    assert {Path(row["path"]).name for row in rows} == names
