"""SHA-256 of the code and content of Python objects, the same in every process."""

from canonface.fingerprint.digests import Digester, sha256
from canonface.fingerprint.objects import Fingerprint, accepts, object_fingerprint

__all__ = ["Digester", "Fingerprint", "accepts", "object_fingerprint", "sha256"]
