"""Prints what Python prints of a data set: show.py FILE"""

import sys
import warnings

import anndata

warnings.filterwarnings("ignore")
print(anndata.read_h5ad(sys.argv[1]))
