"""The Textual app and the command line: what a person sees and types."""
