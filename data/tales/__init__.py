"""The built-in corpus: its words, its grammar, its scenes, and the text they make.

Nothing but `data/storage` may be imported here, and no torch.
"""
