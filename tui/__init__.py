"""The Textual app, and in `cli` the command line: what a person sees and types.

Directly here is what the screens share: the bridge to the runs, the generator, the conversation, settings, themes,
keys, messages. Nothing here imports torch, the sub-rooms of the engine, or a screen, but for `app`.
"""

import os

os.environ.setdefault("TEXTUAL_FPS", "240")
"""How often Textual looks whether something is to be painted; it reads this when it is imported. A key waits for that,
and twice as long after a frame that was late. What streams is painted less often: see `FLUSHES_PER_SECOND`."""
