"""An expected error becomes one sentence: where it happened, what was wrong, what to do."""

import errno
import os
from pathlib import Path

import pytest
from minigpt_tui.data.storage.errors import EXPECTED, UserError, sentence_of


def test_a_user_error_is_its_own_sentence() -> None:
    assert sentence_of(UserError("the text is empty; choose a longer one")) == "the text is empty; choose a longer one"


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOENT, "check the path"),
        (errno.EACCES, "check its permissions"),
        (errno.EROFS, "choose a folder that can be written"),
        (errno.ENOSPC, "free some space"),
    ],
)
def test_what_the_system_refuses_is_said_with_the_file_and_a_remedy(number: int, remedy: str) -> None:
    reason = os.strerror(number)
    assert sentence_of(OSError(number, reason, "a.txt")) == f"a.txt: {reason}; {remedy}"
    assert sentence_of(OSError(number, reason)) == f"{reason}; {remedy}"


def test_a_refusal_without_a_known_remedy_or_number_is_said_as_it_is() -> None:
    assert sentence_of(OSError(errno.EIO, "Input/output error", "a.txt")) == "a.txt: Input/output error"
    assert sentence_of(OSError("the answer is not HTTP")) == "the answer is not HTTP"


def test_a_real_refusal_is_expected(tmp_path: Path) -> None:
    with pytest.raises(EXPECTED) as caught:
        (tmp_path / "gone.txt").read_text()
    assert sentence_of(caught.value) == f"{tmp_path / 'gone.txt'}: No such file or directory; check the path"
