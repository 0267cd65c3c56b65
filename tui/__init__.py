"""The Textual app, and in `cli` the command line: what a person sees and types.

Directly here is what the screens share: the bridge to the runs, the generator, the conversation, settings, themes,
keys, messages. Nothing here imports torch, the sub-rooms of the engine, or a screen, but for `app`.
"""
