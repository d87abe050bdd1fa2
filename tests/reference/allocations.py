"""Bytes of tensors, counted as PyTorch's operators make them: exact, and the same on every machine."""

import weakref

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Allocations(TorchDispatchMode):
    """Counts, while it is switched on, the memory behind the tensors that operators make.

    Attributes:
        live: bytes that are held now.
        peak: the most that were held at once.
    """

    def __init__(self):
        super().__init__()
        self.live = self.peak = 0
        self._known = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        for value in tree_leaves((args, kwargs)):
            self._note(value, made=False)
        result = func(*args, **(kwargs or {}))
        for value in tree_leaves(result):
            self._note(value, made=True)
        return result

    def _note(self, value, made):
        """Count a storage when it is first seen; storages given from outside count nothing."""
        if not isinstance(value, Tensor) or value.device.type == "meta":
            return
        storage = value.untyped_storage()
        if storage._cdata in self._known:
            return
        size = storage.nbytes() if made else 0
        self._known[storage._cdata] = weakref.ref(storage, self._forget(storage._cdata, size))
        self.live += size
        self.peak = max(self.peak, self.live)

    def _forget(self, place, size):
        def forget(_):
            del self._known[place]
            self.live -= size

        return forget
