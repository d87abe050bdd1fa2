"""Outputs of Keras for fixed inputs: `python make_wrn_reference.py WEIGHTS.28-3.73.HDF5 wrn_reference.npz`.

Needs TensorFlow 2.15 in an environment of its own; the tests only need the file that it writes.
"""

import sys

import keras
import numpy as np

SEED, COUNT = 11, 6


def inputs():
    """Smooth ramps of several colours with some noise, in the network's range 0 to 255."""
    random = np.random.default_rng(SEED)
    noise = random.uniform(-1, 1, (COUNT, 64, 64, 3)) * np.linspace(2, 60, COUNT)[:, None, None, None]
    slopes = random.uniform(-1.5, 1.5, (2, COUNT, 1, 1, 3))
    rows, columns = np.arange(64.0)[None, :, None, None], np.arange(64.0)[None, None, :, None]
    ramps = slopes[0] * (rows - 32) + slopes[1] * (columns - 32) + random.uniform(60, 190, (COUNT, 1, 1, 3))
    return np.clip(ramps + noise, 0, 255).astype(np.float32)


if __name__ == "__main__":
    weights, target = sys.argv[1:]
    network = keras.models.load_model(weights, compile=False)
    gender, age = network.predict(inputs(), verbose=0)
    np.savez_compressed(target, seed=SEED, gender=np.asarray(gender), age=np.asarray(age))
