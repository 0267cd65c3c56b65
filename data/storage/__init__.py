"""The ground floor: errors, typed JSON, atomic files, the user's folders, memos, printable text.

Every other room may import it. Nothing of the project outside may be imported here, and no torch.
"""
