"""scvi-tools maps queries onto references: one JSON case per line in, one JSON answer per line out.

The query has the cells of the reference's data set, in two new batches.
"""

import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
import anndata
import numpy as np
import scvi

QUIET = {"accelerator": "cpu", "enable_progress_bar": False, "logger": False}


def state(model):
    return {k: v.detach().cpu().numpy().copy() for k, v in model.module.state_dict().items()}


def changed_columns(before, after):
    differs = np.atleast_1d(before != after)
    return np.flatnonzero(differs.reshape(-1, differs.shape[-1]).any(0)).tolist()


for line in sys.stdin:
    case = json.loads(line)
    folder = Path(case["folder"])
    scvi.settings.seed = 0
    adata = anndata.read_h5ad(folder / "adata.h5ad")
    reference = scvi.model.SCVI.load(folder / "model", adata=adata.copy(), accelerator="cpu")
    if case["batch_key"]:
        adata.obs[case["batch_key"]] = [f"new{i % 2}" for i in range(adata.n_obs)]
    query = scvi.model.SCVI.load_query_data(
        adata, reference, accelerator="cpu", **case["options"]
    )
    before = state(query)
    query.train(case["max_epochs"], plan_kwargs={"weight_decay": 0.0}, **QUIET)
    after = state(query)
    changed = {name: changed_columns(before[name], after[name]) for name in before}
    print(json.dumps({
        "shapes": {name: list(value.shape) for name, value in before.items()},
        "changed": {name: columns for name, columns in changed.items() if columns},
    }))
