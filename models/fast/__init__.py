"""What makes a CPU or GPU decode faster than the plain model, and equals it by test.

Imports the model; the model and the training never import this room.
"""
