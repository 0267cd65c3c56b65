"""`python -m minigpt_tui.tui` is the command minigpt-tui."""

import sys

from .cli.main import main

sys.exit(main())
