"""From text to tokens: corpora, tokenizers, datasets of token ids; `storage` is the ground floor below them.

Nothing of the models, the engine or the app may be imported here, and torch only where tokens become tensors.
"""
