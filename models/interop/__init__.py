"""Models in files: Hugging Face folders (our own checkpoints are such), nanoGPT's ckpt.pt, GGUF files.

Nothing of a foreign file is executed. What reads a configuration alone (foreign_config, foreign_folder, inert_pickle,
torch_archive, nanogpt) imports no torch; nothing here imports the engine or the app.
"""
