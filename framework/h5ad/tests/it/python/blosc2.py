"""Compresses one element of a file by a filter that is not supported: blosc2.py FILE"""

import sys

import h5py
import hdf5plugin

with h5py.File(sys.argv[1], "a") as file:
    values = file["obsm/X_pca"][()]
    attributes = dict(file["obsm/X_pca"].attrs)
    del file["obsm/X_pca"]
    file.create_dataset("obsm/X_pca", data=values, **hdf5plugin.Blosc2())
    file["obsm/X_pca"].attrs.update(attributes)
