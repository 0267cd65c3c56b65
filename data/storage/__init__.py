"""The ground floor: what lies on disk and in JSON, whole or not at all, checked before it is believed.

Every other room may import these modules. Nothing of the project may be imported here, and no torch.
"""
