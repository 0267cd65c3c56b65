"""The train process and the evaluate process; what lies here imports torch."""

import os

# Between two parallel sections OpenMP's threads wait by spinning. Where another process wants a core that is a cliff: a
# step of 26 ms took 2000 beside a busy neighbour, against 110 with this limit. Alone on the machine the limit costs
# some percent. The library reads it once, when torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
