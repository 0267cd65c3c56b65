"""`benchmarks train`: seconds, losses and tokens a second of training, beside nanoGPT's train.py.

suite           its options, and what is said before and after
workloads       what is measured, how, and what of it is compared
setup           the text, a folder for all files, our trainings and nanoGPT's as candidates
our_training    one training of ours, started from nothing and timed from outside; start_run starts it
"""
