"""What the face landmarker's file holds: its networks, how their answers read, and its canonical face.

Mesh, alignment and models stand on it; it knows none of them.
"""
