"""Adds sources, donors and two continuous covariates to counts: covariates.py COUNTS.h5ad OUT.h5ad"""

import sys

import anndata
import numpy as np
import pandas as pd

counts, out = sys.argv[1:]
adata = anndata.read_h5ad(counts)
rng = np.random.default_rng(0)

# Each donor belongs to one source, as in the heart atlas: 14 donors over the 4 batches.
source = adata.obs["batch"].astype("category").cat.codes.to_numpy() % 4
donors = np.array([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 10], [11, 12, 13, 13]])
donor = donors[source, rng.integers(0, 4, adata.n_obs)]
adata.obs["source"] = pd.Categorical([f"source_{i}" for i in source])
adata.obs["donor"] = pd.Categorical([f"donor_{i}" for i in donor])
adata.obs["percent_mito"] = rng.gamma(2.0, 0.02, adata.n_obs).astype("float32")
adata.obs["percent_ribo"] = rng.gamma(2.0, 0.03, adata.n_obs).astype("float32")

stored = (adata.X != 0).sum() / np.prod(adata.shape)
print(f"{adata.n_obs} cells x {adata.n_vars} genes, {100 * stored:.0f} % non-zero")
adata.write_h5ad(out)
