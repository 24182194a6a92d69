"""Writes models with everything that PyTorch, numpy and pandas can put into one, to a folder."""

import pathlib
import sys

import numpy as np
import pandas as pd
import torch

folder = pathlib.Path(sys.argv[1])
base = torch.arange(24, dtype=torch.float32)
state_dict = {
    "transposed": base.view(4, 6).t(),
    "shared": base[5:9],
    "strided": base[1::3],
    "expanded": torch.tensor([7.0]).expand(3, 2),
    "cube": base.view(2, 3, 4).permute(2, 0, 1),
    "empty": torch.zeros(0, 5),
    "parameter": torch.nn.Parameter(torch.randn(3, 2)),
    "scalar": torch.tensor(5),
    "pyro_param_store": {"params": {}, "constraints": {}},
}
for dtype in ["bool", "int8", "uint8", "int16", "int32", "int64", "float16", "float64", "bfloat16"]:
    state_dict[dtype] = torch.tensor([0, 1, 3, 0]).to(getattr(torch, dtype))
registry = {
    "model_name": "SCVI",
    "mapping": np.array(["b", "a", "ä"], dtype=object),
    "fixed": np.array(["short", "longer", ""]),
    "none": np.array([], dtype="U"),
    "numbers": np.arange(6, dtype=">i4").reshape(2, 3),
    "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3) / 3),
    "flags": np.array([True, False]),
    "mixed": np.array([["a", 1], [None, 2.5]], dtype=object, order="F"),
    "unsigned": np.uint64(2**64 - 1),
    "single": np.float32(0.1),
    "word": np.str_("word"),
    "nested": {"tuple": (1, -2, 1 << 40, True, None), 3: [0.1, []]},
    "rows": pd.Index(["r1", "r2"]).to_numpy(),
}
history = {
    "elbo_train": pd.DataFrame({"elbo_train": [3.5, 2.5, 0.1 + 0.2]}),
    "objects": pd.DataFrame({"objects": np.array([1, np.float32(2.5), 3.0], dtype=object)}),
    "whole": pd.DataFrame({"whole": [1, 2]}, index=pd.Index([0, 5], name="epoch")),
}
saved = {
    "model_state_dict": state_dict,
    "var_names": np.array(["g1", "g2"]),
    "attr_dict": {
        "registry_": registry,
        "init_params_": {"non_kwargs": {"n_latent": 3}, "kwargs": {"kwargs": {"use_layer_norm": "both"}}},
        "history_": history,
        "is_trained_": True,
        "train_indices_": np.arange(3, dtype=np.int32),
        "validation_indices_": [4, 5],
    },
}
for protocol in range(2, 6):
    torch.save(saved, folder / f"protocol_{protocol}.pt", pickle_protocol=protocol)
saved["attr_dict"]["init_params_"] = {
    "non_kwargs": {"adata": None, "n_latent": 3},
    "kwargs": {"model_kwargs": {
        "var_activation": torch.nn.functional.softplus,
        "batch_embedding_kwargs": {"embedding_dim": 8},
        "extra_encoder_kwargs": {},
        "act": torch.exp,
        "layer": torch.nn.Linear(2, 2),
    }},
}
saved["attr_dict"]["history_"]["pair"] = pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]})
torch.save(saved, folder / "arguments.pth")
