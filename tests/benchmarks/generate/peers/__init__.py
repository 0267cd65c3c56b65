"""The programs that generation is measured beside, each in a process of its own: `protocol` has both its ends.

with_transformers, with_nanogpt and with_llama_cpp generate from a model on disk, from the same tokens and with the same
temperature and top-k, which is what all of them have. this_machine reads memory and multiplies as fast as it can, which
no program can pass. Each needs its own package, which nothing else here does.
"""
