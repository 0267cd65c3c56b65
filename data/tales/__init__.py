"""The built-in corpus `tales`: its words, grammar and scenes, the text that they generate, and its place in the cache.

Nothing but `data/storage` may be imported here, and no torch.
"""
