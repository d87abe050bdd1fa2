"""Every entry of the registry is a method."""

import pytest
from method_contract import MethodContract

from canonface.methods import METHODS, make_method

QUICK = {
    "smoothgrad": {"samples": 5, "batch": 2},
    "integrated-gradients": {"steps": 6, "batch": 4},
    "occlusion": {"size": 6, "stride": 3},
    "rise": {"masks": 30, "batch": 8},
    "scorecam": {"batch": 4},
}
"""Options for a quick test; other methods are quick by default."""


class TestEveryMethod(MethodContract):
    @pytest.fixture(params=METHODS)
    def method(self, request):
        return make_method(request.param, **QUICK.get(request.param, {}))
