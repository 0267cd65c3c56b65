"""Curves as characters: series of points, scales, and the drawing in braille, without a terminal.

No Textual here: the widget `loss_chart` turns the cells into what a terminal paints.
"""
