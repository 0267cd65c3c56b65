"""From a corpus and a recipe to a run folder, and from that to a train process."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from minigpt_tui.data.corpus import Corpus, open_corpus
from minigpt_tui.data.storage.errors import UserError
from minigpt_tui.data.text_files import Reading
from minigpt_tui.data.tokenizers import CharTokenizer
from minigpt_tui.engine import launch, locks, paths
from minigpt_tui.engine.launch import UnknownTextError, move_corpus, new_run, start_training, vocabulary_size
from minigpt_tui.engine.model_files import ModelFile, check_weights, find_model
from minigpt_tui.engine.runs import Run, RunError, list_runs
from minigpt_tui.models.config import ConfigError, ModelConfig
from minigpt_tui.models.gpt import GPT
from minigpt_tui.models.interop.huggingface import save_checkpoint
from minigpt_tui.models.presets import fine_tuning
from minigpt_tui.models.recipe import Recipe, TokenizerKind, TrainingConfig, UnknownCharacters

SLOW = 60
MODEL = ModelConfig(context_length=16, n_layer=1, n_head=2, d_model=16, mlp="gelu")
RECIPE = Recipe("tiny", "for tests", "tests", MODEL, TrainingConfig())
TEXT = "Ein Fuchs, grün und gelb, fiel über ein Faß. " * 10


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINIGPT_HOME", str(tmp_path / "home"))


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    return write(tmp_path / "fox.txt", TEXT)


def write(path: Path, text: str) -> Corpus:
    path.write_text(text, encoding="utf-8")
    return open_corpus(str(path))


def stored_model(folder: Path, alphabet: str, unknown: UnknownCharacters = "drop") -> ModelFile:
    """A checkpoint of that model on a disk."""
    folder.mkdir()
    tokenizer = CharTokenizer(alphabet, unknown)
    model = GPT(replace(MODEL, vocab_size=tokenizer.vocab_size))
    save_checkpoint(model, folder, tokenizer=tokenizer, step=1, validation_loss=None)
    return find_model(str(folder))


@pytest.mark.parametrize(
    ("kind", "unknown", "size"),
    [
        ("char", "drop", len(set(TEXT))),
        ("char", "token", len(set(TEXT)) + 1),
        ("byte", "token", 256),
        ("gpt2", "drop", 50257),
        ("bpe", "drop", 777),
    ],
)
def test_the_vocabulary_is_known_before_anything_is_encoded(
    corpus: Corpus, kind: TokenizerKind, unknown: UnknownCharacters, size: int
) -> None:
    recipe = replace(RECIPE, tokenizer=kind, unknown_characters=unknown, bpe_vocab_size=777)
    assert vocabulary_size(recipe, corpus) == size
    manifest = new_run(corpus, recipe, "run", parent="before").manifest()
    assert manifest.model == replace(MODEL, vocab_size=size)
    assert (manifest.tokenizer, manifest.unknown_characters, manifest.bpe_vocab_size) == (kind, unknown, 777)
    assert (manifest.name, manifest.parent, manifest.start_from) == ("run", "before", None)
    assert (manifest.corpus.spec, manifest.corpus.fingerprint) == (corpus.spec, corpus.fingerprint)


def test_a_foreign_tokenizer_needs_its_model(corpus: Corpus) -> None:
    with pytest.raises(ConfigError, match="name that model"):
        new_run(corpus, replace(RECIPE, tokenizer="huggingface"))
    assert not paths.runs_dir().exists()


def test_a_text_too_short_for_the_context_is_refused_before_a_run_is_made(corpus: Corpus) -> None:
    recipe = replace(RECIPE, model=replace(MODEL, context_length=60))
    with pytest.raises(UserError, match=r"has 405 tokens to train on and 45 to validate on, .* at most 44 or a"):
        new_run(corpus, recipe)
    with pytest.raises(UserError, match="has at most 432 tokens to train on and 48 to validate on"):
        new_run(corpus, replace(recipe, tokenizer="bpe"))
    assert not paths.runs_dir().exists()
    perhaps = replace(MODEL, context_length=40)
    assert new_run(corpus, replace(recipe, model=perhaps, tokenizer="bpe")).manifest().model.context_length == 40


# --- going on with a model ------------------------------------------------------------------------


def test_a_run_that_goes_on_with_a_model_takes_over_its_vocabulary(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_model(tmp_path / "model", corpus.alphabet + "xyz", "token")
    monkeypatch.chdir(tmp_path)
    file = ModelFile(Path("model"), "minigpt", "model")
    wanted = replace(MODEL, context_length=8, residual_dropout=0.2, attention_dropout=0.1, embedding_dropout=0.3)
    recipe = replace(RECIPE, model=wanted, tokenizer="byte")
    size = len(corpus.alphabet) + 4
    assert vocabulary_size(recipe, corpus, file) == size
    manifest = new_run(corpus, recipe, start_from=file).manifest()
    assert manifest.start_from == str(tmp_path / "model")
    assert manifest.model == replace(wanted, vocab_size=size)
    assert (manifest.tokenizer, manifest.unknown_characters) == ("char", "token")


def test_widths_may_be_spelled_out_or_implied(corpus: Corpus, tmp_path: Path) -> None:
    file = stored_model(tmp_path / "model", corpus.alphabet)
    new_run(corpus, replace(RECIPE, model=replace(MODEL, n_kv_head=2, head_dim=8, d_ff=64)), start_from=file)
    longer = replace(RECIPE, model=replace(MODEL, context_length=10, d_model=32, residual_dropout=0.5))
    new_run(corpus, fine_tuning(longer, replace(MODEL, vocab_size=99)), start_from=file)


def test_another_model_than_the_stored_one_is_refused_by_its_fields(corpus: Corpus, tmp_path: Path) -> None:
    file = stored_model(tmp_path / "model", corpus.alphabet)
    other = replace(MODEL, n_layer=2, position="learned", context_length=17)
    with pytest.raises(ConfigError) as caught:
        new_run(corpus, replace(RECIPE, model=other), start_from=file)
    assert str(caught.value) == (
        "model cannot be trained further with n_layer 2 (it has 1), position learned (it has rope), context_length 17 "
        "(at most 16); leave that as the model has it"
    )
    assert not paths.runs_dir().exists()


def test_a_text_that_the_models_tokenizer_refuses_is_refused_at_once(corpus: Corpus, tmp_path: Path) -> None:
    known = corpus.alphabet.replace("ü", "").replace("ß", "")
    with pytest.raises(UserError, match=r"fox\.txt does not suit strict: .* no token for 'ß', 'ü'"):
        new_run(corpus, RECIPE, start_from=stored_model(tmp_path / "strict", known, "refuse"))
    assert not paths.runs_dir().exists()
    assert new_run(corpus, RECIPE, start_from=stored_model(tmp_path / "lenient", known)).manifest().tokenizer == "char"


def test_a_tokenizer_that_belongs_to_another_model_is_refused_at_once(corpus: Corpus, tmp_path: Path) -> None:
    file = stored_model(tmp_path / "model", corpus.alphabet)
    CharTokenizer(corpus.alphabet + "xyz").save(file.path)
    with pytest.raises(UserError, match=r"tokenizer of model has \d+ tokens, but its model knows \d+; they do not"):
        new_run(corpus, RECIPE, start_from=file)
    assert not paths.runs_dir().exists()


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda content: content[:-1], "is damaged or incomplete (it has "),
        (lambda content: content + b"\0", "is damaged or incomplete (it has "),
        (lambda content: content[:40], "its header cannot be read"),
        (lambda content: b"", "its header cannot be read"),
        (lambda content: b"\xff" * 8 + content[8:], "its header cannot be read"),
        (lambda content: (4).to_bytes(8, "little") + b"null", "its header cannot be read"),
        (lambda content: None, "model.safetensors is missing"),
    ],
)
def test_damaged_weights_are_refused_before_a_run_is_made(
    corpus: Corpus, tmp_path: Path, damage: Callable[[bytes], bytes | None], words: str
) -> None:
    file = stored_model(tmp_path / "model", corpus.alphabet)
    weights = file.path / "model.safetensors"
    content = damage(weights.read_bytes())
    weights.unlink()
    if content is not None:
        weights.write_bytes(content)
    with pytest.raises(UserError) as caught:
        new_run(corpus, RECIPE, start_from=file)
    assert words in str(caught.value)
    assert str(weights) in str(caught.value)
    assert not paths.runs_dir().exists()


def test_each_shard_of_a_model_is_looked_at(tmp_path: Path) -> None:
    header = b'{"__metadata__":{},"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    for name in ("a.safetensors", "b.safetensors"):
        (tmp_path / name).write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    index = tmp_path / "model.safetensors.index.json"
    index.write_text('{"weight_map": {"w": "a.safetensors", "v": "b.safetensors"}}')
    check_weights(ModelFile(tmp_path, "huggingface", "model"))
    for text in (
        '{"weight_map": {"w": "../a.safetensors"}}',
        '{"weight_map": [1]}',
        "{}",
        '{"weight_map": {"w": "c"}}',
    ):
        index.write_text(text)
        with pytest.raises(UserError):
            check_weights(ModelFile(tmp_path, "huggingface", "model"))
    index.write_text('{"weight_map": {"w": "a.safetensors", "v": "b.safetensors"}}')
    (tmp_path / "b.safetensors").write_bytes(b"short")
    with pytest.raises(UserError, match=r"b\.safetensors is damaged"):
        check_weights(ModelFile(tmp_path, "huggingface", "model"))


# --- the train process ----------------------------------------------------------------------------


def stand_in(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Let the next child run `code` instead of the engine's module; its arguments stay."""
    monkeypatch.setattr(launch, "python_module", lambda module, *rest: [sys.executable, "-P", "-c", code, *rest])


@pytest.fixture
def run() -> Run:
    run = Run(paths.runs_dir() / "try-01")
    run.path.mkdir(parents=True)
    return run


def wait_for(path: Path) -> str:
    """The content of a file that a child writes, complete with its newline."""
    for _ in range(SLOW * 20):
        with contextlib.suppress(FileNotFoundError):
            if (text := path.read_text()).endswith("\n"):
                return text
        time.sleep(0.05)
    raise AssertionError(f"{path} was not written")


def test_training_starts_detached_in_the_run_folder(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(
        monkeypatch,
        "import os, sys; print(os.getpid(), os.getsid(0), os.getcwd(), sys.stdin.read() == '', *sys.argv[1:])",
    )
    pid = start_training(run, resume=True, leave_core=True)
    assert wait_for(run.log_path).split() == [
        str(pid), str(pid), str(run.path), "True", str(run.path), "--resume", "--leave-core",
    ]  # fmt: skip
    assert pid != os.getpid()


def test_on_several_devices_torchrun_starts_as_many_processes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "import os, sys; print(os.environ['PYTHONSAFEPATH'], *sys.argv[1:])")
    start_training(run, resume=True, devices=3)
    assert wait_for(run.log_path).split() == [
        "1", "--standalone", "--nproc-per-node=3", "-m", "minigpt_tui.engine.training.process", str(run.path),
        "--resume",
    ]  # fmt: skip


def test_training_appends_to_the_log_both_what_it_prints_and_its_errors(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.log_path.write_text("before\n")
    stand_in(monkeypatch, "import sys; print('out', flush=True); print(sys.argv[2:], file=sys.stderr)")
    start_training(run)
    while (text := wait_for(run.log_path)).count("\n") < 3:
        time.sleep(0.05)
    assert text == "before\nout\n[]\n"


def test_a_trainer_that_ended_leaves_no_zombie(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(monkeypatch, "print()")
    pid = start_training(run)
    for _ in range(SLOW * 20):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
    raise AssertionError("it is still there")


def test_a_run_that_trains_is_not_started_twice(run: Run) -> None:
    held = locks.acquire(run.lock_path)
    assert held
    with held, pytest.raises(RunError, match="'try-01' already trains"):
        start_training(run)
    assert not run.log_path.exists()


def test_a_run_that_is_gone_is_one_sentence(run: Run) -> None:
    with pytest.raises(RunError, match=r"'gone' cannot be started: .*No such file"):
        start_training(Run(run.path.with_name("gone")))


def test_a_start_that_fails_leaves_no_empty_run_behind(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(run.path / "no-python"))
    trained = Run(run.path.with_name("trained"))
    shutil.copytree(run.path, trained.path)
    trained.metrics_path.write_text("")
    for each, left in ((run, False), (trained, True)):
        with pytest.raises(RunError, match="cannot be started"):
            start_training(each)
        assert each.path.exists() == left


def test_a_text_in_another_script_is_refused_unless_it_is_asked_for(tmp_path: Path) -> None:
    file = stored_model(tmp_path / "model", "".join(sorted(set(TEXT))))
    few, many = write(tmp_path / "few.txt", TEXT * 9 + "Она"), write(tmp_path / "many.txt", TEXT + "Она" * 100)
    assert new_run(few, RECIPE, start_from=file).name == "few-01"
    with pytest.raises(UnknownTextError, match=r"has no token for 40% of the characters of many.txt"):
        new_run(many, RECIPE, start_from=file)
    assert [run.name for run in list_runs()] == ["few-01"]
    assert new_run(many, RECIPE, start_from=file, drop_unknown=True).name == "many-01"


def test_how_a_text_is_read_is_kept_with_the_run(tmp_path: Path) -> None:
    path = tmp_path / "wide.txt"
    path.write_bytes(TEXT.encode("utf-16-le"))
    corpus = open_corpus(str(path), reading=Reading("utf-16-le"))
    record = new_run(corpus, RECIPE).manifest().corpus
    assert open_corpus(record.spec, reading=record.reading).fingerprint == record.fingerprint == corpus.fingerprint


def test_a_run_that_was_made_before_reads_its_folder_in_the_old_order(tmp_path: Path) -> None:
    (tmp_path / "book").mkdir()
    for number in (2, 10):
        (tmp_path / "book" / f"{number}.txt").write_text(f"chapter {number}\n" * 50)
    run = new_run(open_corpus(str(tmp_path / "book")), RECIPE)
    stored = json.loads((run.path / "run.json").read_text())
    del stored["corpus"]["reading_rules"], stored["corpus"]["encoding"]
    (run.path / "run.json").write_text(json.dumps(stored))
    record = run.manifest().corpus
    assert open_corpus(record.spec, reading=record.reading).preview.startswith("chapter 10\n")


def test_a_text_that_has_moved_changes_one_field_of_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "here.txt").write_text(TEXT)
    run = new_run(open_corpus(str(tmp_path / "here.txt")), RECIPE, "moved")
    path = run.path / "run.json"
    before = json.loads(path.read_text()) | {"of_a_newer_version": [1, 2.5, None]}
    path.write_text(json.dumps(before))
    (tmp_path / "here.txt").rename(tmp_path / "there.txt")
    move_corpus(run, str(tmp_path / "there.txt"))
    assert json.loads(path.read_text()) == before | {"corpus": before["corpus"] | {"spec": str(tmp_path / "there.txt")}}
    (tmp_path / "there.txt").write_text(TEXT[::-1])
    with pytest.raises(UserError, match="is not the text that 'moved' was made with"):
        move_corpus(run, str(tmp_path / "there.txt"))
    assert run.manifest().corpus.spec == str(tmp_path / "there.txt")
