"""The decoder: its configuration, its modules, its recipes, and its doors to other formats."""
