"""Starts and watches the processes that train, generate, evaluate and export, and keeps the run folders.

What lies directly here is light and never imports torch; training, generation and export are heavy and run in processes
of their own. Nothing here draws, and nothing here knows the app or the command line.
"""
