"""The command line: `main` finds the module of a verb by the verb's name, and only that module is imported.

It draws no screen: Textual is imported by the verbs that open the app, and torch by none.
"""
