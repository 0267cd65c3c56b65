"""Other people's formats, in and out: Hugging Face folders, nanoGPT checkpoints, GGUF files.

Nothing of a foreign file is executed. What reads configurations alone is light: no torch there.
"""
