"""The screens: the chat, which is always there, and those that lie above it for a while.

A screen is given the bridge and whatever else it needs; it never imports the app. What it says to the app is a message
or an action. The form of a new run and the window sizes lie here because only screens need them.
"""
