"""What a person and their models have written: sessions, each a tree of texts, in one SQLite file.

tree       the nodes of a session and what a tree of them says
schema     the tables, and the steps from each earlier version of them
store      the one door to the file: every text is saved as it is written
documents  a session as JSON (with its tree), Markdown or plain text, and back from JSON

Light: neither torch nor anything that draws may enter.
"""
