"""The export process: a model as a file or a folder that other programs read.

Heavy: it imports torch. The formats themselves are models/interop; here is what is asked, and the vocabulary of GGUF.
"""
