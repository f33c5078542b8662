"""A semantic sub-index beside the hashes, with a tiny CLIP made here: real code, no meaning."""

from __future__ import annotations

import json

import pytest
import txtai

from drawing import draw
from hashlens import ImageIndex


def byte_alphabet() -> list[str]:
    """Return the characters that stand for bytes in CLIP's vocabulary."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in plain] + [chr(256 + n) for n in range(256 - len(plain))]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A CLIP with random weights and 16 dimensions, saved as a sentence-transformers model."""
    import torch
    import transformers
    from sentence_transformers import SentenceTransformer
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(0)
    home = tmp_path_factory.mktemp("clip")
    alphabet = byte_alphabet()
    tokens = [*alphabet, *(f"{c}</w>" for c in alphabet), "<|startoftext|>", "<|endoftext|>"]
    (home / "vocab.json").write_text(json.dumps({token: n for n, token in enumerate(tokens)}))
    (home / "merges.txt").write_text("#version: 0.2\n")
    layers = {
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "projection_dim": 16,
    }
    ends = {"bos_token_id": len(tokens) - 2, "eos_token_id": len(tokens) - 1}
    config = transformers.CLIPConfig(
        text_config={
            **layers,
            **ends,
            "vocab_size": len(tokens),
            "pad_token_id": len(tokens) - 1,
            "max_position_embeddings": 16,
        },
        vision_config={**layers, "image_size": 32, "patch_size": 16},
        projection_dim=16,
    )
    transformers.CLIPModel(config).save_pretrained(home)
    square = {"height": 32, "width": 32}
    transformers.CLIPProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 32}, crop_size=square),
        transformers.CLIPTokenizer(
            str(home / "vocab.json"), str(home / "merges.txt"), model_max_length=16
        ),
    ).save_pretrained(home)
    SentenceTransformer(str(home)).save(str(home / "st"))
    return str(home / "st")


def configuration(model: str) -> dict:
    return {
        "indexes": {
            "semantic": {
                "method": "hashlens.ImageVectors",
                "path": model,
                "columns": {"text": "path"},
            }
        }
    }


@pytest.mark.filterwarnings("ignore")  # torch, transformers and faiss have some of their own
def test_similar_and_distance_in_one_query(model, folder, tmp_path, monkeypatch):
    (folder / "bad.jpg").write_text("no image")
    with ImageIndex.open(tmp_path / "index", config=configuration(model)) as index:
        assert index.index([folder]).hashed == 11
        wanted = {"q": str(folder / "3.png"), "h": index.fingerprint(folder / "3.png")}
        query = (
            "select path, score, distance(text, :h) d from txtai "
            "where similar(:q, 'semantic') and distance(text, :h) < 64 order by score desc"
        )
        first = index.sql(query, wanted, limit=5)[0]
        assert (first["path"], first["d"]) == (str(folder / "3.png"), 0)
        assert first["score"] == pytest.approx(1)
        words = "select path, score from txtai where similar('a dog on a beach', 'semantic')"
        assert index.sql(words, limit=4)

        (folder / "3.png").unlink()
        draw(50).save(folder / "50.png")
        report = index.index([folder])
        assert (report.hashed, report.removed) == (1, 1)
    with ImageIndex.open(tmp_path / "index", create=False) as again:
        assert again.sql(query, {**wanted, "q": str(folder / "50.png")}, limit=1)[0]["path"] == str(
            folder / "50.png"
        )
        again.delete(row["id"] for row in again.sql("select id from txtai"))
        assert again.index([folder]).hashed == 11
        assert len(again.sql(query, {**wanted, "q": str(folder / "50.png")})) == 11

        def killed(*_: object) -> None:
            raise SystemExit

        monkeypatch.setattr(
            "hashlens.index.commit.replace_directory", killed
        )  # rows are committed, vectors not
        draw(51).save(folder / "51.png")
        with pytest.raises(SystemExit):
            again.index([folder])
        monkeypatch.undo()
        vectors = "select id from txtai where similar('a dog', 'semantic')"
        assert again.count() == len(again.sql(vectors)) + 1
        assert again.index([folder]).hashed == 0
        assert again.count() == len(again.sql(vectors)) == 13

    with txtai.Embeddings().load(str(tmp_path / "index")) as stock:
        query = "select path from txtai where similar(:q, 1, 'semantic')"
        (row,) = stock.search(query, 1, parameters={"q": str(folder / "50.png")})
        assert row["path"] == str(folder / "50.png")
