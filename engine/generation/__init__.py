"""The generate process: one loaded model that continues prompts and scores texts.

Heavy: it imports torch. The train process takes its sampling from here; nothing here knows training, and whoever draws
the screen speaks to this room through engine/client.py alone.
"""
