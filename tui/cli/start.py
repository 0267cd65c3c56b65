"""Opens the app, for a command line without a verb and for `open`."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from ..opening import paint

if TYPE_CHECKING:
    from ..found_models import FoundModel


def open_app(corpus: str | None = None, *, model: FoundModel | None = None, model_path: str | None = None) -> int:
    """Open the app as `tui.app.run_app` does, and return its exit code."""
    gc.disable()  # the app enables it when it stands
    take_back = paint()
    try:
        from ..app import run_app  # Textual takes a fifth of a second to import

        return run_app(corpus, model=model, model_path=model_path)
    except BaseException:
        take_back()  # what is said of the error stands in the terminal as it was before
        raise
