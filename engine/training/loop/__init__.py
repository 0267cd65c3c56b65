"""The training loop: what happens between two updates, from the schedule and evaluations to commands and checkpoints.

How an update is computed is the part of `update` and `sharded`; nothing here knows how many devices take part in one.
"""
