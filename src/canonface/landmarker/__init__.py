"""The face landmarker's file: its networks, and its canonical face.

Mesh, alignment and models import this package; it imports none of them.
"""
