"""Prints what Python prints of a data set: show.py FILE"""

import sys
import warnings

import anndata
import mudata

warnings.filterwarnings("ignore")
path = sys.argv[1]
print(mudata.read_h5mu(path) if path.endswith(".h5mu") else anndata.read_h5ad(path))
