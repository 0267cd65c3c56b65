"""The same update for a model that is spread over several devices: FSDP2, spread optimizers, spread state.

Imported only by runs that ask for it: torch.distributed takes seconds to import.
"""
