"""Prints what PyTorch reads from each model.pt named on the command line, one JSON per line.

The numbers of all weights go to a file per model, named by its position, in the folder named first.
"""

import json
import sys

import numpy as np
import torch


def plain(value):
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return value.item()
    return value


def indices(attributes, name):
    rows = attributes.get(name)
    return [] if rows is None else [int(row) for row in rows]


for position, path in enumerate(sys.argv[2:]):
    saved = torch.load(path, map_location="cpu", weights_only=False)
    attributes = saved["attr_dict"]
    saved["model_state_dict"].pop("pyro_param_store", None)
    weights = {
        name: (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().numpy()
        for name, tensor in saved["model_state_dict"].items()
    }
    with open(f"{sys.argv[1]}/{position}", "wb") as numbers:
        numbers.writelines(array.tobytes() for array in weights.values())
    history = attributes.get("history_") or {}
    print(json.dumps({
        "weights": [[k, str(v.dtype), list(v.shape)] for k, v in weights.items()],
        "var_names": plain(saved["var_names"]),
        "registry": plain(attributes["registry_"]),
        "init_params": plain(attributes["init_params_"]),
        "is_trained": attributes["is_trained_"],
        "history": {k: [float(x) for x in v.iloc[:, 0]] for k, v in history.items()},
        "train_indices": indices(attributes, "train_indices_"),
        "validation_indices": indices(attributes, "validation_indices_"),
        "test_indices": indices(attributes, "test_indices_"),
    }))
