"""A model that loads and generates in a moment."""

from .workloads import Shape

TINY = Shape("nanogpt-char-cpu", 65, "0.80M")  # context 64
