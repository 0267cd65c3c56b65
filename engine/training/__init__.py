"""The train process, from a run folder to weights and losses, and the evaluate process. All of it needs torch.

`loop` is what happens between two updates, `update` one update, `sharded` the same over several devices. Nothing here
knows of a screen, and nothing light imports it.
"""

import os

# Between two parallel sections OpenMP's threads wait by spinning. Where another process wants a core that is a cliff: a
# step of 26 ms took 2000 beside a busy neighbour, against 110 with this limit. Alone on the machine the limit costs
# some percent. The library reads it once, when torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
