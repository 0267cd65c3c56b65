"""Who speaks in a text that is a play, a dialogue or a chat log, and how such a text goes on with a speech.

`finding.find_speakers` finds them, `form.SpeechForm` writes a speech as that text does, `ending.SpeechEnd` knows where
one ends, and `reading.speakers_of_corpus` reads them from a corpus of any size, or from the cache.
"""
