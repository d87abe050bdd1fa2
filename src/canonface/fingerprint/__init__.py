"""SHA-256 of what Python objects are and do, the same in every process."""

from canonface.fingerprint.digests import Digester, sha256
from canonface.fingerprint.objects import object_fingerprint

__all__ = ["Digester", "object_fingerprint", "sha256"]
