"""Trains scvi-tools' SCVI as the bench does with ours: train.py DATA.h5ad EPOCHS THREADS

The model goes to a folder beside the data.
"""

import logging
import os
import sys
import warnings

import anndata
import scvi
import torch

data, epochs, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
warnings.simplefilter("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
torch.set_num_threads(threads)
scvi.settings.seed = 0

adata = anndata.read_h5ad(data)
scvi.model.SCVI.setup_anndata(
    adata,
    categorical_covariate_keys=["cell_source", "donor"],
    continuous_covariate_keys=["percent_mito", "percent_ribo"],
)
model = scvi.model.SCVI(adata)
model.train(
    max_epochs=epochs,
    batch_size=128,
    accelerator="cpu",
    enable_progress_bar=False,
    logger=False,
)
model.save(os.path.splitext(data)[0] + ".scvi-tools", overwrite=True)
