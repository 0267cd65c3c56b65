"""The training loop: what happens between two updates, from schedules and evaluations to commands and checkpoints.

How an update is computed is the business of `update` and `sharded`.
"""
