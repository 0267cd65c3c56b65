"""The same update for a model that is sharded over several devices (FSDP2): model, optimizer and resume state.

Imported only by runs that ask for it: torch.distributed takes seconds to import. Builds on `update`, and
may not import `loop`.
"""
