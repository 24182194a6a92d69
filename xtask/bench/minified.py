"""Makes the data set of the bench `minified`, or has scvi-tools minify it.

minified.py COUNTS.h5ad layout OUT.h5ad      normalised X and raw beside the counts, as in the tutorial
minified.py DATA.h5ad minify MODEL THREADS   sizes and seconds, as JSON
"""

import json
import logging
import os
import sys
import time
import warnings

import anndata
import numpy as np
import scipy.sparse as sp

RAW_GENES, RAW_PER_CELL = 26_662, 1_040

data, job, place = sys.argv[1:4]
warnings.simplefilter("ignore")
start = time.perf_counter()
adata = anndata.read_h5ad(data)
opened = time.perf_counter() - start

if job == "layout":
    counts = adata.X.tocsr().astype(np.float32)
    normalised = sp.diags(1e4 / np.asarray(counts.sum(1)).ravel()) @ counts
    normalised = normalised.log1p().astype(np.float32)
    n_obs, n_vars = counts.shape
    n_more = RAW_GENES - n_vars
    density = max(RAW_PER_CELL - counts.nnz / n_obs, 1) / n_more
    more = sp.random(n_obs, n_more, density, "csr", dtype=np.float32, random_state=0)
    names = list(adata.var_names) + [f"unused{i}" for i in range(n_more)]
    raw = anndata.AnnData(sp.hstack([normalised, more], format="csr"))
    raw.obs_names, raw.var_names = adata.obs_names, names
    adata.layers["counts"], adata.X, adata.raw = counts, normalised, raw
    adata.write_h5ad(place)
    sys.exit()

import scvi
import torch

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
scvi.settings.verbosity = logging.ERROR
torch.set_num_threads(int(sys.argv[4]))
scvi.settings.seed = 0


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def queries(model):
    return {
        "get-latent-representation": seconds(model.get_latent_representation),
        "get-normalized-expression": seconds(
            lambda: model.get_normalized_expression(return_numpy=True)
        ),
        "get-likelihood-parameters": seconds(
            lambda: model.get_likelihood_parameters(n_samples=3, give_mean=True)
        ),
    }


# The same model: what was trained here, written for scvi-tools.
model = scvi.model.SCVI.load(place, adata=adata, accelerator="cpu")
full = queries(model)
qzm, qzv = model.get_latent_representation(give_mean=False, return_dist=True)
model.adata.obsm["X_latent_qzm"], model.adata.obsm["X_latent_qzv"] = qzm, qzv
model.minify_adata()
folder = os.path.join(os.path.dirname(data), "minified-scvi-tools")
model.save(folder, overwrite=True, save_anndata=True)
written = os.path.join(folder, "adata.h5ad")
minified = queries(model)
start = time.perf_counter()
anndata.read_h5ad(written)
small = time.perf_counter() - start
print(
    json.dumps(
        {
            "bytes": [os.path.getsize(data), os.path.getsize(written)],
            "opened": [opened, small],
            "full": full,
            "minified": minified,
        }
    )
)
