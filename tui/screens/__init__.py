"""The screens of the app: chat, new run, runs, help, and the small questions in between."""
