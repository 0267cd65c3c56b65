"""Models for other programs: from a checkpoint to a file of theirs, in a process of its own."""
