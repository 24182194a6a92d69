"""Answers of scvi-tools with noise of a known seed: live.py FOLDER SEED

Prints {name: numbers, row after row} as JSON. Each answer starts from the seed; minibatches hold 128 cells
in the order of the data, and take nothing else from the generator.
"""

import json
import logging
import sys
import warnings

import anndata
import numpy as np
import scvi
import torch
from torch.utils.data import DataLoader

warnings.simplefilter("ignore")
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
scvi.settings.verbosity = logging.ERROR
torch.set_num_threads(1)

folder, seed = sys.argv[1], int(sys.argv[2])

# A loader draws a seed for its workers; from a generator of its own here.
initialise = DataLoader.__init__
DataLoader.__init__ = lambda self, *args, **given: initialise(
    self, *args, **given, generator=torch.Generator()
)


def opened(name, data):
    adata = anndata.read_h5ad(f"{folder}/{data}")
    return scvi.model.SCVI.load(f"{folder}/{name}", adata=adata, accelerator="cpu")


def answer(query, seed=seed, **given):
    torch.manual_seed(seed)
    return query(**given)


model = opened("model", "adata.h5ad")
minified = opened("minified", "minified/adata.h5ad")
expression = dict(return_numpy=True)
answers = {
    "z": answer(model.get_latent_representation, give_mean=False),
    "expression": answer(model.get_normalized_expression, n_samples=20, **expression),
    "expression_b0": answer(
        model.get_normalized_expression, n_samples=20, transform_batch="b0", **expression
    ),
    "minified_expression": answer(minified.get_normalized_expression, **expression),
    "marginal_ll": answer(
        model.get_marginal_ll,
        indices=np.arange(200),
        n_mc_samples=500,
        n_mc_samples_per_pass=500,
        return_mean=False,
    ),
    "elbo": answer(model.get_elbo, return_mean=False),
    "reconstruction_error": answer(model.get_reconstruction_error, return_mean=False)[
        "reconstruction_loss"
    ],
}

# The parameters that belong together have a seed of their own, the next number.
torch.manual_seed(seed)
following = int(torch.randint(2**31 - 1, [1]))
answers |= answer(
    model.get_likelihood_parameters, seed=following, n_samples=5, give_mean=True
)

print(json.dumps({name: np.asarray(x, float).ravel().tolist() for name, x in answers.items()}))
