"""Those whom generation is measured beside, each a process of its own: `answering` says how it is spoken to.

transformers, nanogpt and llama_cpp generate from a model on disk, from the same tokens and with the same temperature
and top-k, which is what all of them have; this_machine reads memory and multiplies as fast as it can, which nobody can
pass. Each needs its own package, which nothing else here does.
"""
