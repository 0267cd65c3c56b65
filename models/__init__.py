"""The decoder: its configuration, its modules, its recipes, its memory.

Knows nothing of runs, processes or screens, and imports the data's ground floor alone. The configuration, the recipes,
the presets, `memory` and `cpu` are light: they never import torch.
"""
