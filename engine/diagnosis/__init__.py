"""What a run's figures mean, in plain words: its readings, and the rules that look at them. Light."""
