"""What makes a CPU or GPU decode faster than the plain model, and equals it by test.

Imports the model, which never imports this room; the training uses its CUDA graphs alone.
"""
