"""From text to tokens: corpora, tokenizers, datasets."""
