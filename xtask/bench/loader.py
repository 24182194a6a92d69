"""One pass in shuffled minibatches of scvi-tools' loader, as the bench makes with ours:
loader.py DATA.h5ad memory|backed CELLS"""

import itertools
import json
import sys
import time
import warnings

import anndata
import scvi
import torch
from scvi.data import AnnDataManager
from scvi.data.fields import CategoricalObsField, LayerField
from scvi.dataloaders import AnnDataLoader

data, place, n_cells = sys.argv[1], sys.argv[2], int(sys.argv[3])
warnings.simplefilter("ignore")
torch.manual_seed(0)

adata = anndata.read_h5ad(data, backed="r" if place == "backed" else None)
fields = [
    LayerField(scvi.REGISTRY_KEYS.X_KEY, None),
    CategoricalObsField(scvi.REGISTRY_KEYS.BATCH_KEY, "batch"),
]
manager = AnnDataManager(fields=fields)
manager.register_fields(adata)
loader = AnnDataLoader(manager, shuffle=True, batch_size=128)

start, loaded = time.perf_counter(), 0
for batch in itertools.islice(loader, -(-n_cells // 128)):
    loaded += len(batch["X"])
seconds = time.perf_counter() - start
print(json.dumps({"cells": loaded, "seconds": seconds, "cells_per_second": loaded / seconds}))
