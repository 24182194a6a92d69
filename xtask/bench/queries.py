"""Asks scvi-tools' SCVI what the bench asks ours: queries.py DATA.h5ad METHOD THREADS"""

import json
import logging
import os
import sys
import time
import warnings

import anndata
import scvi
import torch

data, method, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
warnings.simplefilter("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
scvi.settings.verbosity = logging.ERROR
torch.set_num_threads(threads)
scvi.settings.seed = 0
adata = anndata.read_h5ad(data)
folder = os.path.splitext(data)[0] + ".scvi-tools"
model = scvi.model.SCVI.load(folder, adata=adata, accelerator="cpu")
few, some = list(range(500)), list(range(2000))
asked = {
    "get-latent-representation": lambda: model.get_latent_representation(),
    "get-normalized-expression": lambda: model.get_normalized_expression(return_numpy=True),
    "get-likelihood-parameters": lambda: model.get_likelihood_parameters(
        n_samples=3, give_mean=True
    ),
    "posterior-predictive-sample": lambda: model.posterior_predictive_sample(
        indices=some, n_samples=5
    ),
    "get-marginal-ll": lambda: model.get_marginal_ll(
        indices=few, n_mc_samples=100, n_mc_samples_per_pass=10
    ),
    "differential-expression": lambda: model.differential_expression(
        groupby="cell_type", mode="change", silent=True
    ),
    "get-feature-correlation-matrix": lambda: model.get_feature_correlation_matrix(indices=some),
}
start = time.perf_counter()
asked[method]()
print(json.dumps({"seconds": time.perf_counter() - start}))
