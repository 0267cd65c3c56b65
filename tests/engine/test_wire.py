from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest
from minigpt_tui.data.speakers.form import SpeechForm
from minigpt_tui.data.storage.typed_json import SchemaError
from minigpt_tui.engine import events, requests
from minigpt_tui.engine.events import COMMANDS, TRAINING_EVENTS, Command, Step
from minigpt_tui.engine.requests import (
    GENERATION_MESSAGES,
    REQUESTS,
    Ended,
    Failed,
    Generate,
    Load,
    SamplingSettings,
    Tokens,
)
from minigpt_tui.engine.wire import MessageCodec

DETAIL = requests.TokenDetail(7, "<E2>", 0.5, 1.0, 1, 0.75, (requests.Alternative(7, "<E2>", 0.5, 1.0),))
CODECS: list[tuple[MessageCodec[Any], list[Any]]] = [
    (
        TRAINING_EVENTS,
        [
            events.Preparing("encoding", 0.25),
            events.Preparing("tokenizer", None),
            events.Started(0, None, 9, 65, 900, 100, "cpu", "a CPU", "float32", 2, "it is there", 1.5, 0.9),
            events.Started(0, 40, 9, 65, 900, 100, "cpu", "a CPU", "float32", 2, "it is there", 1.5),
            Step(1, 10, 640, 0.5, 4.5, 3.25, 0.02, None, 1e5, 2**31),
            Step(1, None, 640, 0.5, None, 3.25, 0.02, 1.5, 1e5, 2**31, 0.4),
            events.Evaluation(5, 1.0, 2.0, 7.4, 2.9, "full", True, 1.9),
            events.Sample(5, "RO", 'MEO:\nWhat "light" \x1b[31m é 🙂\u2028'),
            events.CheckpointSaved(5, "best", 2.0),
            events.CheckpointSaved(5, "last"),
            events.StateChanged("failed", 7, 2.0, "no space"),
            events.Note(7, "less memory", "warning"),
            events.Sample(5, "RO", "MEO", 2, 1337),
            events.LayerNorms(5, {"embedding": 1.5, "block 0": 2.0}, {"embedding": 1e-3, "block 0": 2e-3}),
            events.Acknowledged(5, "a1", "pause", "the training is paused", True, 1.5),
            events.Settings(5, 0.5, "2,000 steps", 0, ("", "ROMEO:")),
            events.Times(5, {"start": 0.25, "training": 1.5}),
        ],
    ),
    (
        COMMANDS,
        [
            Command("pause"),
            Command("scale_learning_rate", 0.5, 3.0),
            Command("threads", 0),
            Command("sample_prompts", id="a1", texts=("x", "\n")),
        ],
    ),
    (
        REQUESTS,
        [
            Load(1, "/a run/with spaces"),
            Load(2, "x", False, "cpu", "bfloat16", 3),
            Generate(3, "", SamplingSettings()),
            Generate(
                4,
                "a\nb",
                SamplingSettings(0, 5, 0.5, max_tokens=7, seed=2**63 - 1, stop=("\n\n", "é"), forbidden=("x",)),
            ),
            Generate(6, "a", samples=64, explain=True),
            requests.ScoreText(7, "a\nb", explain=True),
            requests.ScoreText(8, "a", literal=True),
            requests.ScoreText(8, "a", explain=True, alternatives=0),
            Generate(10, "a", then=(0, 7), alternatives=3),
            Generate(11, "", messages=(requests.Turn("system", "x"), requests.Turn("user", "\ud83d"))),
            requests.ExplainPlace(12, "a", (1, 2), SamplingSettings(top_k=3), 5),
            Generate(9, "a", SamplingSettings(literal=True)),
            Generate(
                13, "Bo:", speech=SpeechForm("[01/03/24] ", ": ", "\n", "line", "", "title", ("Bo", "\ud83d"), ("- ",))
            ),
            Generate(14, "a", changes=(requests.SettingsChange(3, SamplingSettings(top_k=3)),)),
            requests.ChangeSampling(14, SamplingSettings(temperature=0.5)),
            requests.Cancel(4),
            requests.Ping(5),
        ],
    ),
    (
        GENERATION_MESSAGES,
        [
            requests.Hello(12),
            requests.Ready("2.13", "cpu"),
            requests.Loaded(1, "p", 5, 9, 65, 64, "cpu", "float32", 1000, 1.5),
            Tokens(3, "\ud83d", 1),
            Tokens(3, "a", 1, 2, (DETAIL,)),
            Ended(3, "stop", 2, 1, 0.5, 4.0, 5, 7, ("one", "two")),
            Ended(3, "stop", 2, 1, 0.5, 4.0, 5, 7, (), 0, "ab12", "<|user|>hi"),
            requests.Place(3, DETAIL.alternatives, (), 1.5, 0.5, 0.25, 0.0, 5, "ab12", ("one",)),
            requests.ScoreProgress(3, 0.5, (DETAIL,)),
            requests.Scored(3, 1.0, 2.7, 1.4, 99, 5, ("one",)),
            Failed(3, "checkpoint", "it is damaged"),
            requests.Pong(5),
        ],
    ),
]
EVERY = [(codec, message) for codec, messages in CODECS for message in messages]


@pytest.mark.parametrize(("codec", "message"), EVERY, ids=lambda x: type(x).__name__)
def test_a_message_becomes_one_line_of_ascii_and_comes_back_equal(codec: MessageCodec[Any], message: Any) -> None:
    line = codec.encode(message)
    assert line.isascii()
    assert line.endswith("\n")
    assert line.count("\n") == 1
    back = codec.decode(line.encode())
    assert back == message
    assert type(back) is type(message)


def test_the_round_trip_covers_every_message() -> None:
    tried = {type(message) for _, message in EVERY}
    own = {kind for module in (events, requests) for kind in vars(module).values() if dataclasses.is_dataclass(kind)}
    parts = {requests.TokenDetail, requests.Alternative, requests.Turn, requests.SettingsChange}
    assert own - tried == {SamplingSettings, SpeechForm, *parts}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"", "not a line of JSON"),
        (b'{"event":"step","st', "not a line of JSON"),
        (b"\xff\xfe", "not a line of JSON"),
        (b"[" * 100_000, "not a line of JSON"),
        (b"[]", "unknown request None"),
        (b"7", "unknown request None"),
        (b'{"request":["load"]}', "unknown request"),
        (b'{"request":"tokens","id":1}', "unknown request 'tokens'"),
        (b'{"request":"cancel"}', "request cancel: 'id' is missing"),
        (b'{"request":"cancel","id":"1"}', "request cancel.id: int is needed, found str '1'"),
        (b'{"request":"cancel","id":true}', "int is needed, found bool"),
        (b'{"request":"load","id":1,"path":null}', "str is needed, found null"),
        (b'{"request":"generate","id":1,"prompt":"a","settings":{"stop":"x"}}', "settings.stop: "),
        (b'{"request":"generate","id":1,"prompt":"a","settings":{"stop":[""]}}', "a stop text cannot be empty"),
        (b'{"request":"generate","id":1,"prompt":"a","speech":{"after":""}}', "needs something after the name"),
        (b'{"request":"generate","id":1,"prompt":"a","settings":{"max_tokens":0}}', "max_tokens must lie between"),
        (b'{"request":"generate","id":1,"prompt":"a","settings":{"temperature":-1}}', "temperature must lie between"),
        (b'{"request":"generate","id":1,"prompt":"a","settings":{"seed":-1}}', "seed must lie between"),
        (b'{"request":"generate","id":1,"prompt":"a","samples":0}', "samples must lie between 1 and 256, not 0"),
    ],
)
def test_anything_else_is_refused_by_name(line: bytes, says: str) -> None:
    with pytest.raises(SchemaError) as caught:
        REQUESTS.decode(line)
    assert says in str(caught.value)
    assert len(str(caught.value)) < 300


def test_temperature_that_is_no_number_is_refused() -> None:
    with pytest.raises(ValueError, match="temperature must lie between"):
        SamplingSettings(temperature=math.nan)


def test_fields_of_a_newer_version_are_ignored_and_missing_ones_take_their_default() -> None:
    assert REQUESTS.decode('{"request":"load","id":1,"path":"x","sharding":"all"}') == Load(1, "x")


def test_numbers_that_json_lacks_cross_as_null() -> None:
    line = TRAINING_EVENTS.encode(Step(1, 10, 640, 0.5, 4.5, math.nan, 0.02, math.inf, 1e5, 1))
    assert json.loads(line)["loss"] is None
    back = TRAINING_EVENTS.decode(line)
    assert isinstance(back, Step)
    assert math.isnan(back.loss)
    assert back.gradient_norm is None


def test_a_field_called_like_the_tag_is_refused_when_the_codec_is_made() -> None:
    with pytest.raises(TypeError, match="a field of Failed has the name of the tag, 'message'"):
        MessageCodec("message", failed=Failed)
