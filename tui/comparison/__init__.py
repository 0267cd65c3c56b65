"""One prompt, continued in several columns: by what each is written, who writes it, and what becomes of one of them.

No widget and no screen here.
"""
