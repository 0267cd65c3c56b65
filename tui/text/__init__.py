"""Text for a terminal, without a terminal: numbers and models in words, typed paths, rows of cells.

Nothing here draws or knows a widget, a run or the app; the command line uses it as well.
"""
