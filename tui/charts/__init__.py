"""Curves as rows of characters: series of bounded size, axes, braille. No terminal is needed here."""
