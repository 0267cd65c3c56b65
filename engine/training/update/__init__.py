"""One update of the weights from one batch: gradients, optimizers, averaging, memory and threads.

Nothing here knows of files, events or commands: that is `loop`.
"""
