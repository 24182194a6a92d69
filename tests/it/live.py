"""Averages over so many draws that none of their noise is left: live.py FOLDER N_CELLS N_DRAWS

Prints mean frequencies [n_cells, n_vars] as JSON, row after row.
"""

import json
import logging
import sys
import warnings

import anndata
import numpy as np
import scvi
import torch

warnings.simplefilter("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
scvi.settings.verbosity = logging.ERROR
torch.set_num_threads(1)
scvi.settings.seed = 0

folder = sys.argv[1]
n_cells, n_draws = map(int, sys.argv[2:])
adata = anndata.read_h5ad(f"{folder}/adata.h5ad")
model = scvi.model.SCVI.load(f"{folder}/model", adata=adata, accelerator="cpu")
cells = list(range(n_cells))
mean = sum(
    model.get_normalized_expression(indices=cells, return_numpy=True).astype(np.float64)
    for _ in range(n_draws)
)
print(json.dumps((mean / n_draws).ravel().tolist()))
