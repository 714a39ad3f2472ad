"""Embedders: the compiled runtime gives what sentence-transformers gives, for the starter model and for others."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tiny as tiny_models
from bert import WORDS, make_model
from conftest import Process
from endpoint import free_port

from selfstudy.core.errors import BadConfig, BadModel
from selfstudy.core.plugs import resolve
from selfstudy.core.ports import Embedder, Vectors
from selfstudy.core.quiet import quiet
from selfstudy.models import converted, minilm, openvino, sentence
from selfstudy.models.folder import ModelFolder
from selfstudy.models.prompted import prompted
from selfstudy.models.sentence import SentenceEmbedder
from selfstudy.recipes.engine import Engine
from selfstudy.recipes.system import Finer

TEXTS = [
    "",
    "What is the capital of France?",
    "Paris is the capital of France, and has been since the tenth century, with interruptions.",
    "量子力学描述微观世界的规律。",
    "🙂 emoji 🚀 and naïve café",
    "a",
    "The long report goes on and on about nothing at all. " * 200,
    "one two three " * 20,
    "tab\tnewline\nand   spaces  ",
    "A second long text, with other words in it, that is cut as well. " * 100,
]


def plain(folder: Path, texts: Sequence[str], prompt: str = "", max_seq_length: int | None = None) -> Vectors:
    """What sentence-transformers itself makes of `texts`."""
    from sentence_transformers import SentenceTransformer

    with quiet():
        model = SentenceTransformer(str(folder), device="cpu")
        if max_seq_length is not None:
            model.max_seq_length = max_seq_length
        vectors: Vectors = model.encode(list(texts), prompt=prompt, normalize_embeddings=True, show_progress_bar=False)
    return vectors


def cosines(left: Vectors, right: Vectors) -> Vectors:
    assert left.shape == right.shape
    assert left.dtype == right.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(left, axis=1), 1, atol=1e-3)
    return (left * right).sum(axis=1)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("tiny") / "model")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache") / "openvino"


def test_the_starter_model_is_what_sentence_transformers_makes_of_it(cache: Path) -> None:
    compiled = resolve(minilm.NAME, cache=cache)
    assert isinstance(compiled, Embedder)
    vectors = compiled.embed(TEXTS)
    assert (compiled.runtime, compiled.why_torch, compiled.dim) == ("openvino", None, 384)
    expected = plain(minilm.folder(), TEXTS)
    assert cosines(vectors, expected).min() >= 0.9999
    assert cosines(minilm.load(runtime="torch").embed(TEXTS), expected).min() >= 0.9999
    in_a_fresh_process(cache, vectors[1])


def test_a_cache_forgets_the_models_that_were_not_opened_for_longest(tmp_path: Path) -> None:
    def convert(folder: Path, about: dict[str, Any]) -> str:
        (folder / converted.MODEL).write_text("model")
        return "made"

    def load(folder: Path) -> str:
        return (folder / converted.MODEL).read_text()

    for number in range(converted.KEPT):
        assert converted.opened(tmp_path, str(number), load, convert) == "made"
        os.utime(tmp_path / str(number), (number, number))
    assert converted.opened(tmp_path, "0", load, convert) == "model"

    def too_late(folder: Path) -> str:
        shutil.rmtree(folder)  # as another process does whose cache is full
        return load(folder)

    assert converted.opened(tmp_path, "0", too_late, convert) == "made"
    assert converted.opened(tmp_path, "new", load, convert) == "made"
    assert {path.name for path in tmp_path.iterdir()} == {"new", *map(str, range(converted.KEPT))} - {"1"}


def in_a_fresh_process(cache: Path, expected: Vectors) -> None:
    script = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from selfstudy.models import minilm\n"
        f"vector = minilm.load(cache=Path({str(cache)!r})).embed([{TEXTS[1]!r}], 'query')[0]\n"
        "print(json.dumps([vector.tolist(), [name for name in ('torch', 'transformers', 'onnx') if name in sys.modules]]))\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True)
    vector, loaded = json.loads(done.stdout)
    assert loaded == []
    assert np.dot(vector, expected) > 0.9999
    assert done.stderr == ""


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
@pytest.mark.parametrize(("pooling", "dense", "prompts"), [("cls", 0, {}), ("mean", 10, {"query": "query: ", "passage": "passage: "})])
def test_other_poolings_sizes_and_prompts(tmp_path: Path, runtime: Any, pooling: str, dense: int, prompts: dict[str, str]) -> None:
    folder = make_model(tmp_path / "model", pooling, dense, prompts=prompts)
    embedder = resolve(f"st:{folder}", runtime=runtime, cache=tmp_path)
    assert embedder.dim == (dense or 24)
    for role, prompt in (("query", prompts.get("query", "")), ("passage", prompts.get("passage", ""))):
        vectors = embedder.embed(TEXTS, role)
        assert cosines(vectors, plain(folder, TEXTS, prompt)).min() >= 0.9999
    if prompts:
        assert np.abs(embedder.embed(["what"], "query") - embedder.embed(["what"], "passage")).max() > 0.001
    assert embedder.runtime == runtime


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_prompts_and_length_can_be_given(tiny: Path, cache: Path, runtime: Any) -> None:
    embedder = resolve(f"st:{tiny}", cache=cache, runtime=runtime, prompts={"query": "query: "}, max_seq_length=8)
    assert embedder.name == f"st:{tiny}"
    text = "what is the long report"
    assert cosines(embedder.embed([text * 9], "query"), plain(tiny, [text * 9], "query: ", 8)).min() >= 0.9999
    assert cosines(embedder.embed([text * 9]), plain(tiny, [text * 9], "", 8)).min() >= 0.9999


def test_what_is_set_of_prompts_is_in_the_folder_that_is_trained(tiny: Path, tmp_path: Path) -> None:
    sets = [f"embedder=st:{tiny}", 'prompts.passage="passage: "', "max_seq_length=8"]
    loaded = Engine.open(tmp_path / "home", create=True, sets=sets).loaded.embedder(f"st:{tiny}")
    assert loaded.model_folder is not None
    trained = ModelFolder(loaded.model_folder)
    assert (trained.prompt("passage"), trained.prompt("query"), trained.max_seq_length) == ("passage: ", "", 8)
    assert (
        cosines(loaded.embed(["what is the long report" * 9]), plain(tiny, ["what is the long report" * 9], "passage: ", 8)).min() >= 0.9999
    )
    with pytest.raises(BadConfig, match="prompts are for an st: embedder"):
        Engine.open(tmp_path / "other", create=True, sets=['prompts.query="q: "']).add([tmp_path])


def test_what_was_proven_serves_as_long_as_its_embedder_is_what_it_was(
    tiny: Path, tmp_path: Path, plug: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(plug))
    (tmp_path / "a.md").write_text("The kettle is repaired by the owner of the green bridge.")
    tiny = Path(shutil.copytree(tiny, tmp_path / "tiny"))

    def opened(*sets: str) -> Engine:
        return Engine.open(tmp_path / "home", create=True, sets=[f"embedder=st:{tiny}", *sets])

    engine = opened()
    engine.add([tmp_path / "a.md"])
    engine._pointer.serve("promoted", replace(engine.base, key="k", sentences=Finer(0.5, 0.5, 20)), "a test")
    assert engine.live.key == "k"
    assert "waiting" not in engine.status()
    other = opened('prompts.query="query: "')
    assert other.live == other.base, "it reads questions otherwise than what was proven"
    assert other.status()["waiting"]["key"] == "k"
    other.add([tmp_path / "a.md"])
    assert other.search("kettle", by="dense")
    assert opened("embedder=fake:64").live.key == "k", "what was proven goes on serving, whatever is to be studied next"
    tiny.rename(tmp_path / "elsewhere")
    assert opened("embedder=fake:64").live.key is None, "nobody can search by what is gone"
    (tmp_path / "elsewhere").rename(tiny)
    assert opened().live.key == "k", "nothing is lost"
    fake = opened("embedder=fake:64")
    fake.add([tmp_path / "a.md"])
    fake._pointer.serve("promoted", replace(fake.base, key="f", sentences=Finer(0.5, 0.5, 20)), "a test")
    assert opened('prompts.query="query: "').live.key == "f"
    assert opened('prompts.query="query: "').search("kettle", by="dense"), "prompts are for the embedder that is set, whatever serves"


def test_a_decoder_embeds_as_it_does_under_torch_whatever_openvino_makes_of_it(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, Transformer

    tiny_models.causal(tmp_path / "llama")
    inside = Transformer(str(tmp_path / "llama"))
    inside.tokenizer.padding_side = "right"
    model = SentenceTransformer(modules=[inside, Pooling(32, pooling_mode="mean"), Normalize()], device="cpu")
    model.save_pretrained(str(tmp_path / "model"))
    code = "import sys; import numpy as np; from selfstudy.models.sentence import SentenceEmbedder as S; from pathlib import Path; "
    code += "np.save(sys.argv[2], S(Path(sys.argv[1])).embed(['what']))"
    given = [str(tmp_path / "model"), str(tmp_path / "vectors.npy")]
    # In OpenVINO it dies on some CPUs and gives NaN on others.
    done = subprocess.run([sys.executable, "-c", code, *given], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert cosines(np.load(tmp_path / "vectors.npy"), model.encode(["what"])).min() >= 0.999


@pytest.mark.parametrize(("tried", "expected"), [("", ("openvino", None)), ("import os; os.abort()", ("torch", "OpenVINO dies of it"))])
def test_where_openvino_dies_only_the_process_that_tries_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tried: str, expected: tuple[str, str | None]
) -> None:
    monkeypatch.setattr(openvino, "_KNOWN", set())
    monkeypatch.setattr(openvino, "_TRY", tried or openvino._TRY)
    folder = make_model(tmp_path / "model", seed=7 + len(tried))  # one that is open already would not be tried
    embedder = SentenceEmbedder(folder, cache=tmp_path / "cache")
    assert np.isfinite(embedder.embed(["what"])).all()
    assert (embedder.runtime, embedder.why_torch) == expected


def test_many_texts_keep_their_order(tiny: Path, cache: Path) -> None:
    embedder = SentenceEmbedder(tiny, cache=cache)
    generator = np.random.default_rng(0)
    texts = [" ".join(generator.choice(WORDS[5:], size=generator.integers(0, 30))) for _ in range(2500)]
    told: list[tuple[int, int]] = []
    vectors = embedder.embed(texts, progress=lambda done, total: told.append((done, total)))
    some = [0, 1, 777, 2047, 2048, 2499]
    assert cosines(vectors[some], plain(tiny, [texts[at] for at in some])).min() >= 0.9999
    assert told == sorted(told)
    assert told[-1] == (2500, 2500)


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_where_memory_runs_out_batches_become_smaller(tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, runtime: Any) -> None:
    import torch

    texts = [f"{TEXTS[at % len(TEXTS)]} {at}" for at in range(70)]
    expected = SentenceEmbedder(tiny, cache=cache, runtime=runtime).embed(texts)
    embedder = SentenceEmbedder(tiny, cache=cache, runtime=runtime)
    running: Any = embedder._loaded()
    tried: list[int] = []
    if runtime == "torch":
        encode = running._model.encode

        def within(given: Any, batch_size: int, **more: Any) -> Any:
            tried.append(batch_size)
            if batch_size > 4:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return encode(given, batch_size=batch_size, **more)

        monkeypatch.setattr(running._model, "encode", within)
    else:
        start = running._queue.start_async

        class Narrow:
            set_callback, wait_all = running._queue.set_callback, running._queue.wait_all

            def start_async(self, given: Any, rows: list[int]) -> None:
                tried.append(len(rows))
                if len(rows) > 4:
                    raise RuntimeError("Exception from src/inference: std::bad_alloc")
                start(given, rows)

        running._queue = Narrow()
    assert cosines(embedder.embed(texts), expected).min() > 0.999
    assert max(tried) > 4
    tried.clear()
    embedder.embed(texts)
    assert max(tried) <= 4  # it has learned


def test_a_fault_that_is_not_of_memory_is_told(tiny: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embedder = SentenceEmbedder(tiny, cache=cache, runtime="torch")
    running: Any = embedder._loaded()
    monkeypatch.setattr(running._model, "encode", lambda *given, **more: (_ for _ in ()).throw(RuntimeError("shapes do not fit")))
    with pytest.raises(RuntimeError, match="shapes"):
        embedder.embed(["what"])


def test_nothing_gives_no_rows(tiny: Path, cache: Path) -> None:
    assert SentenceEmbedder(tiny, cache=cache).embed([]).shape == (0, 24)


@pytest.mark.parametrize("runtime", ["openvino", "torch"])
def test_what_cannot_be_written_as_utf8_is_embedded_all_the_same(tiny: Path, cache: Path, runtime: Any) -> None:
    vectors = SentenceEmbedder(tiny, cache=cache, runtime=runtime).embed(["what \udcff is", "what ? is"])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)


def test_an_interruption_by_progress_leaves_the_embedder_usable(tiny: Path, cache: Path) -> None:
    embedder = SentenceEmbedder(tiny, cache=cache)

    def stop(done: int, total: int) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        embedder.embed(["what is it"] * 300, progress=stop)
    assert cosines(embedder.embed(TEXTS), plain(tiny, TEXTS)).min() >= 0.9999


def test_threads_share_an_embedder(tiny: Path, cache: Path) -> None:
    embedder = SentenceEmbedder(tiny, cache=cache)
    expected = {role: embedder.embed(TEXTS[:6], role) for role in ("query", "passage")}
    wrong: list[float] = []

    def work(texts: list[str], rows: Vectors) -> None:
        for _ in range(20):
            wrong.append(float(np.abs(embedder.embed(texts) - rows).max()))

    parts = [threading.Thread(target=work, args=(TEXTS[i : i + 3], expected["passage"][i : i + 3])) for i in range(4)]
    for part in parts:
        part.start()
    for part in parts:
        part.join()
    assert len(wrong) == 80
    assert max(wrong) < 1e-4


def test_a_model_that_openvino_would_change_runs_on_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = make_model(tmp_path / "own", seed=2)  # one that no other test has opened, for what is open is shared
    other = make_model(tmp_path / "other", seed=1)
    real = openvino._graph
    monkeypatch.setattr(openvino, "_graph", lambda model: real(openvino_model(other)))
    embedder = SentenceEmbedder(own, cache=tmp_path / "cache")
    assert cosines(embedder.embed(TEXTS), plain(own, TEXTS)).min() >= 0.9999
    assert embedder.runtime == "torch"
    assert "vectors differ" in str(embedder.why_torch)
    monkeypatch.setattr(openvino, "_convert", lambda *_: pytest.fail("tried again"))
    again = SentenceEmbedder(own, cache=tmp_path / "cache")
    assert (again.runtime, again.why_torch) == ("torch", embedder.why_torch)
    with pytest.raises(BadModel, match="vectors differ"):
        SentenceEmbedder(own, cache=tmp_path / "cache", runtime="openvino").embed(["a"])


def openvino_model(folder: Path) -> Any:
    from selfstudy.models.torch import load_model

    return load_model(ModelFolder(folder))


def test_pooling_that_leaves_out_the_prompt_runs_on_torch(tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "model"))
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps(json.loads(pooling.read_text()) | {"include_prompt": False}))
    embedder = SentenceEmbedder(prompted(folder, tmp_path / "prompted", {"query": "query: "}, None), cache=tmp_path / "cache")
    assert cosines(embedder.embed(TEXTS[:3], "query"), plain(folder, TEXTS[:3], "query: ")).min() >= 0.9999
    assert embedder.runtime == "torch"


def test_homes_that_are_open_in_one_process_share_a_model(tiny: Path, cache: Path, tmp_path: Path) -> None:
    one = SentenceEmbedder(tiny, cache=cache)
    vectors = one.embed(TEXTS[:3])
    other = SentenceEmbedder(tiny, cache=tmp_path)
    np.testing.assert_allclose(other.embed(TEXTS[:3]), vectors, atol=1e-5)
    assert other._runtime is one._runtime
    had, has = (folder / other.fingerprint / "model.bin" for folder in (cache, tmp_path))
    assert has.stat().st_ino == had.stat().st_ino, "a home that is copied elsewhere has its own, here it takes no room"
    assert converted.kept_at(has.parent) is not None
    shared = weakref.ref(one._runtime)
    del one, other
    gc.collect()
    assert shared() is None, "nobody needs it any more"


def test_a_damaged_cache_is_made_again(tiny: Path, cache: Path, tmp_path: Path) -> None:
    whole = SentenceEmbedder(tiny, cache=cache)
    vectors = whole.embed(TEXTS[:3])
    kept = Path(shutil.copytree(cache / whole.fingerprint, tmp_path / whole.fingerprint))
    (kept / "model.bin").write_bytes(b"half")
    embedder = SentenceEmbedder(tiny, cache=tmp_path)
    np.testing.assert_allclose(embedder.embed(TEXTS[:3]), vectors, atol=1e-5)
    assert embedder.runtime == "openvino"
    assert [path.name for path in tmp_path.iterdir()] == [embedder.fingerprint]
    assert (kept / "model.bin").stat().st_size > 1000


def test_a_bare_transformer_and_a_cache_that_cannot_be_written(tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "bare"))
    for name in ("modules.json", "config_sentence_transformers.json", "sentence_bert_config.json"):
        (folder / name).unlink()
    shutil.rmtree(folder / "1_Pooling")
    (tmp_path / "file").write_text("in the way")
    embedder = SentenceEmbedder(folder, cache=tmp_path / "file" / "cache")
    assert cosines(embedder.embed(TEXTS), plain(folder, TEXTS)).min() >= 0.9999
    assert embedder.runtime == "openvino"


def test_the_fingerprint_follows_what_changes_the_vectors(tiny: Path, tmp_path: Path) -> None:
    def changed(name: str, **values: Any) -> str:
        folder = Path(shutil.copytree(tiny, tmp_path / f"{len(list(tmp_path.iterdir()))}"))
        path = folder / name
        path.write_text(json.dumps(json.loads(path.read_text()) | values))
        return ModelFolder(folder).fingerprint

    base = ModelFolder(tiny).fingerprint
    same = {
        ModelFolder(Path(shutil.copytree(tiny, tmp_path / "copy"))).fingerprint,
        ModelFolder(prompted(tiny, tmp_path / "prompted", {}, None)).fingerprint,
        changed("config.json", transformers_version="9.9", dtype="bfloat16"),
        changed("config_sentence_transformers.json", similarity_fn_name="dot"),
    }
    other = [
        ModelFolder(prompted(tiny, tmp_path / "prompted", {"query": "query: "}, None)).fingerprint,
        ModelFolder(prompted(tiny, tmp_path / "prompted", None, 16)).fingerprint,
        ModelFolder(make_model(tmp_path / "seed", seed=1)).fingerprint,
        changed("1_Pooling/config.json", pooling_mode="cls"),
        changed("config.json", hidden_act="relu"),
        changed("config_sentence_transformers.json", prompts={"document": "doc: "}),
        changed("tokenizer.json", version="2.0"),
    ]
    assert same == {base}
    assert len({base, *other}) == 1 + len(other)


def test_folders_that_hold_no_model(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="not a folder"):
        SentenceEmbedder(tmp_path / "none")
    with pytest.raises(BadModel, match="no weights"):
        resolve(f"st:{tmp_path}")
    (tmp_path / "modules.json").write_text("[{")
    with pytest.raises(BadModel, match=r"modules\.json"):
        resolve(f"st:{tmp_path}")


def test_broken_weights_are_told(tiny: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny, tmp_path / "broken"))
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(BadModel, match="cannot be loaded"):
        SentenceEmbedder(folder, cache=tmp_path / "cache").embed(["a"])


@pytest.mark.slow
def test_a_hub_that_cannot_be_reached_is_told_in_one_line_before_the_error(process: Process, tmp_path: Path) -> None:
    hub = {"HF_ENDPOINT": f"http://127.0.0.1:{free_port()}", "HF_HUB_OFFLINE": "0"}
    (tmp_path / "a.txt").write_text("The pump is oiled every six weeks.")
    done = process(tmp_path, "--set", "embedder=st:no/such-model", "add", "a.txt", **hub)
    assert done.returncode == 5, done.stderr
    asking, problem, _ = [line for line in done.stderr.splitlines() if not line.startswith("add")]
    assert asking == "st:no/such-model is no folder here; asking the hub for it."
    assert problem.startswith("'st:no/such-model' is no folder here and could not be fetched from the hub: ")


def test_names_on_the_hub(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[tuple[str, bool]] = []

    def download(name: str, local_files_only: bool = False, **_: Any) -> str:
        asked.append((name, local_files_only))
        if local_files_only:
            raise FileNotFoundError("not there")
        return str(tiny)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", lambda self, name: ["model.safetensors"])
    assert resolve("st:tiny-model").name == "st:tiny-model"
    assert asked == [("sentence-transformers/tiny-model", True), ("sentence-transformers/tiny-model", False)]

    def unreachable(self: Any, name: str) -> list[str]:
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub.HfApi, "list_repo_files", unreachable)
    with pytest.raises(BadModel, match="no route to host"):
        resolve("st:owner/name")
    with pytest.raises(BadModel, match="neither a folder here nor a name"):
        resolve("st:./missing/folder")


def test_altered_starter_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minilm, "extra", lambda name: SimpleNamespace(__file__=str(tmp_path / "__init__.py")))
    with pytest.raises(BadModel, match="missing"):
        minilm.load()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"altered")
    with pytest.raises(BadModel, match="altered"):
        minilm.load()
    with pytest.raises(BadModel, match="did you mean 'all-MiniLM-L6-v2'"):
        minilm.load("all-MiniLM-L12-v2")


def test_batches_hold_every_text_once_and_little_padding() -> None:
    lengths = [int(n) for n in np.random.default_rng(0).integers(2, 257, size=500)]
    made = openvino.batches(lengths, tokens=1024)
    assert sorted(index for batch in made for index in batch) == list(range(500))
    assert all(len(batch) * max(lengths[index] for index in batch) <= 1024 for batch in made)
    padded = sum(len(batch) * max(lengths[index] for index in batch) for batch in made)
    assert padded < 1.1 * sum(lengths)
    assert openvino.batches([5000], tokens=1024) == [[0]]
    assert openvino.batches([]) == []


def test_threads_are_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for said, expected in (("3", 3), ("", None), ("many", None), ("0", None)):
        monkeypatch.setenv("OMP_NUM_THREADS", said)
        assert sentence.threads_of_environment() == expected


def test_nothing_is_reported_to_anyone(tmp_path: Path) -> None:
    """OpenVINO's import, as it comes, forks a process that sends statistics to a server."""
    code = """
import sys, time
from pathlib import Path
seen = []
sys.addaudithook(lambda event, args: seen.append(event) if event in ("os.fork", "socket.connect", "socket.getaddrinfo") else None)
from selfstudy.models import minilm
minilm.load(cache=Path(sys.argv[1])).embed(["Where is it?"])
assert "openvino" in sys.modules
time.sleep(1)
print(seen)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)], capture_output=True, text=True, check=True, timeout=300
    )
    assert done.stdout.strip() == "[]"
