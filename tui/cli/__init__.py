"""The command line: `main` reads the words, one module a verb does the work.

It draws no screen: Textual is imported by the verbs that open the app, and torch by none.
"""
