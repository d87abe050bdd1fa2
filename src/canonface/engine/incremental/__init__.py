"""Exact incremental inference: the delta that a patch makes is carried through a network on a window."""
