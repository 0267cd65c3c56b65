"""The widgets that the screens are made of.

A widget draws what it is shown and posts what the person did; it knows no screen, no bridge, and no process.
"""
