"""Exact incremental inference: the change that a patch makes is carried through a network on a window."""
