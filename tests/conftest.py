"""One thread for each test process and its children: test files run side by side."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported
