"""One update of the weights from one batch: gradients, optimizers, EMA, CUDA graphs, memory and threads.

Events, commands and checkpoints are `loop`'s, several shards `sharded`'s; neither may be imported here.
"""
