"""The course of a run, read from its metrics.jsonl into bounded memory, and followed as the file grows. Light.

No torch, and nothing that draws: the app and the command line draw from what is here.
"""
