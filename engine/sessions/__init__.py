"""What a person and their models have written: sessions, each a tree of texts, in one SQLite file.

records       what is kept of each token of a text
tree          the nodes of a session, the words that they are made of, and what a tree of them says
schema        the tables, and the steps from each earlier version of them
database      the file, its transactions and its errors
node_store    the nodes in the file
store         the one door to it: every session, what is searched, and who writes
path_text     the text of a session as it is now, whose words stand where, and their tokens
session_text  the same, edited and continued: every change adds nodes and moves the place of the person
typed_edit    keystrokes that follow each other at one place, one change of the text
history       what undo and redo step over
documents     a session as JSON (with its tree), Markdown or plain text, and back from JSON

Light: neither torch nor anything that draws may enter.
"""
