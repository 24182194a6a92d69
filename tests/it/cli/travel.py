"""Compares models that travelled with those that scvi-tools wrote, and loads them with it.

Each line of standard input is a case in JSON: `written`, the folder that came back, and perhaps
`original`, the folder it was made of; `legacy`, that in the layout before 0.15; `load`, whether scvi-tools is to
load it; `adata`, a data set other than the saved one; `latent`, a `.npz` file with what was computed
elsewhere; `epochs`, how many there were, to go on from; `prefix`, that of the written files.
"""

import json
import sys
import tempfile

import anndata
import numpy as np
import pandas as pd
import scvi
import torch

scvi.settings.verbosity = 40
SCVI = scvi.model.SCVI


def read(folder):
    return torch.load(f"{folder}/model.pt", map_location="cpu", weights_only=False)


def same(a, b, where):
    """Equal in value and kind; text of fixed width counts as text."""
    if isinstance(a, dict):
        assert isinstance(b, dict) and a.keys() == b.keys(), (where, a.keys(), b.keys())
        for key in a:
            same(a[key], b[key], f"{where}.{key}")
    elif isinstance(a, np.ndarray):
        assert isinstance(b, np.ndarray) and a.shape == b.shape, where
        assert a.dtype == b.dtype or (a.dtype.kind, b.dtype.kind) == ("U", "O"), (where, b.dtype)
        assert (a == b).all(), where
    elif isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b)
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype and a.shape == b.shape, where
        assert a.numpy().tobytes() == b.numpy().tobytes(), where
    else:
        assert type(a) is type(b) and a == b, (where, a, b)


def compare(original, written):
    same(original["var_names"], written["var_names"], "var_names")
    original["model_state_dict"].setdefault("pyro_param_store", {"params": {}, "constraints": {}})
    same(original["model_state_dict"], written["model_state_dict"], "model_state_dict")
    theirs, ours = original["attr_dict"], written["attr_dict"]
    attributes = ["registry_", "is_trained_", "history_"]
    for name in attributes + ["train_indices_", "validation_indices_", "test_indices_"]:
        same(theirs[name], ours[name], name)


def legacy(folder):
    with tempfile.TemporaryDirectory() as target:
        SCVI.convert_legacy_save(folder, target, overwrite=True)
        original = read(target)
    place = original["attr_dict"]["registry_"]["field_registries"]["X"]["data_registry"]
    assert place["attr_key"] == "None"
    place["attr_key"] = None
    return original


def answer(model):
    scvi.settings.seed = 0
    return model.get_latent_representation()


def load(case):
    def of(folder, prefix=None):
        adata = anndata.read_h5ad(case["adata"]) if "adata" in case else None
        return SCVI.load(folder, adata, prefix=prefix)

    model = of(case["written"], case.get("prefix"))
    latent = answer(model)
    if "latent" in case:
        np.testing.assert_allclose(latent, np.load(case["latent"])["latent"], atol=1e-5, rtol=1e-5)
    if "original" in case:
        other = of(case["original"])
        assert (latent == answer(other)).all()
        same(other.init_params_, model.init_params_, "init_params_")
        assert other.minified_data_type == model.minified_data_type
        assert other.get_normalized_function_name_ == model.get_normalized_function_name_
    if "epochs" in case:
        go_on(model, case["epochs"])


def go_on(model, epochs):
    """The history is one that more epochs can be added to."""
    assert list(model.history["elbo_train"].index) == list(range(epochs))
    model.train(1, accelerator="cpu", enable_progress_bar=False, train_size=0.9)
    added = model.history["elbo_train"]
    assert len(added) == epochs + 1 and added.notna().all(axis=None), added


for line in sys.stdin:
    case = json.loads(line)
    if "original" in case:
        compare(read(case["original"]), read(case["written"]))
    if "legacy" in case:
        compare(legacy(case["legacy"]), read(case["written"]))
    if case.get("load"):
        load(case)
    print("ok", case["written"])
