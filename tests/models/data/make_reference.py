"""Outputs of Keras for fixed inputs: `python make_reference.py EMOTION_MODEL.hdf5 keras_reference.npz`.

Needs Keras 3.10 with any backend, in an environment of its own; the tests only need the file that it writes.
"""

import sys

import keras
import numpy as np

SEED, COUNT = 7, 16


def inputs():
    """Noise of several strengths and smooth ramps, in the network's range [-1, 1]."""
    random = np.random.default_rng(SEED)
    noise = random.uniform(-1, 1, (COUNT, 64, 64, 1)) * np.linspace(0.1, 1, COUNT)[:, None, None, None]
    ramp = np.linspace(-1, 1, 64)[None, :, None, None] * random.uniform(-1, 1, (COUNT, 1, 1, 1))
    return np.clip(noise + ramp, -1, 1).astype(np.float32)


if __name__ == "__main__":
    weights, target = sys.argv[1:]
    network = keras.models.load_model(weights, compile=False)
    probabilities = np.asarray(network.predict(inputs(), verbose=0))
    np.savez_compressed(target, seed=SEED, probabilities=probabilities)
