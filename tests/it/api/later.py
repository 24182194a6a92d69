"""Prints what later.txt should hold, as the installed scvi-tools has it."""

import importlib.util
import inspect
import sys

if importlib.util.find_spec("scvi") is None:
    sys.exit("no scvi-tools")

from lightning.pytorch import Trainer as LightningTrainer
from scvi.dataloaders import DataSplitter
from scvi.model import SCVI
from scvi.model.base._differential import DifferentialComputation
from scvi.module import VAE
from scvi.train import Trainer, TrainingPlan


def parameters(function, named):
    """Those that are not set by arguments of the caller's own."""
    found = inspect.signature(function).parameters.values()
    variadic = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    plain = [p for p in found if p.name not in {"self", *named.split()} and p.kind not in variadic]
    return [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in plain]


sized = "n_input n_batch n_labels n_continuous_cov n_cats_per_cov use_size_factor_key"
computed = "library_log_means library_log_vars"
layers = "n_hidden n_latent n_layers dropout_rate dispersion gene_likelihood latent_distribution"
split = "adata_manager train_size validation_size shuffle_set_split load_sparse_tensor"
groups = "idx1 idx2 mode batchid1 batchid2 use_observed_batches delta"
clip = inspect.signature(LightningTrainer.__init__).parameters
assert {"gradient_clip_val", "gradient_clip_algorithm"} <= set(clip)

kwargs = {
    "SCVI.kwargs": parameters(VAE.__init__, f"{sized} {computed} {layers}"),
    "train.datasplitter_kwargs": [*parameters(DataSplitter.__init__, split), "drop_last=False"],
    "train.plan_kwargs": parameters(TrainingPlan.__init__, "module"),
    "train.trainer_kwargs": [
        *parameters(Trainer.__init__, "accelerator devices max_epochs early_stopping"),
        "gradient_clip_val=None",
        "gradient_clip_algorithm='norm'",  # None at Lightning's, which is norm
    ],
    "get_marginal_ll.kwargs": parameters(VAE.marginal_ll, "tensors n_mc_samples return_mean"),
    "differential_expression.kwargs": parameters(DifferentialComputation.get_bayes_factors, groups),
}
for query in ["get_normalized_expression", "differential_expression"]:
    weights = parameters(SCVI.get_importance_weights, "adata indices qz px zs")
    kwargs[f"{query}.importance_weighting_kwargs"] = weights
for name, args in kwargs.items():
    print(f"{name}({', '.join(args)})")

own = {"history", "summary_stats", "module"}  # set when a model is made
for line in sys.stdin.read().split():
    assert line in own or hasattr(SCVI, line), line
