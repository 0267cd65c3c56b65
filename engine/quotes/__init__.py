"""What of a text stands word for word in the text that a run has learned from: the index of that is built here.

searched_corpus   which text is meant: the training text of a run, or a corpus
process           builds the index, in a process of its own (heavy: it imports torch)
finder            the door for the app: asks for quotes without waiting, and starts that process where it must

Light but for the process. How quotes are found is data/quotes.
"""
