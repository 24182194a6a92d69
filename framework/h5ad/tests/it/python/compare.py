"""Compares .h5ad and .h5mu files as Python sees them: compare.py A B [A B ...]; whether it sees
every change to a generated file: compare.py --notices FILE

Prints one line per difference and leaves with 1 when there is any. The second file of each pair
is also opened by scanpy and put through a step of its work.
"""

import sys
import tempfile
import warnings

import hdf5plugin  # noqa: F401  (lets h5py read what it compressed)
import numpy as np
import pandas as pd
from scipy import sparse

warnings.filterwarnings("ignore")


def differences(a, b, at):
    """Yields a line for each way in which b is not a."""
    import anndata
    import mudata

    if type(a) is not type(b):
        yield f"{at}: {type(a)} against {type(b)}"
    elif isinstance(a, anndata.AnnData):
        yield from of_data_sets(a, b, at)
    elif isinstance(a, mudata.MuData):
        yield from of_multimodal(a, b, at)
    elif isinstance(a, anndata.Raw):
        for part in ("X", "var", "varm", "obs_names"):
            x, y = getattr(a, part), getattr(b, part)
            if part == "varm":
                x, y = dict(x), dict(y)
            yield from differences(x, y, f"{at}.{part}")
    elif isinstance(a, dict):
        if list(a) != list(b):
            yield f"{at}: keys {list(a)} against {list(b)}"
        for key in a:
            if key in b:
                yield from differences(a[key], b[key], f"{at}[{key!r}]")
    elif isinstance(a, pd.DataFrame):
        yield from differences(a.index, b.index, f"{at}.index")
        if list(a.columns) != list(b.columns):
            yield f"{at}: columns {list(a.columns)} against {list(b.columns)}"
        for name in a.columns:
            if name in b.columns:
                yield from differences(a[name].array, b[name].array, f"{at}[{name!r}]")
    elif isinstance(a, pd.Index):
        if a.name != b.name:
            yield f"{at}: name {a.name!r} against {b.name!r}"
        yield from differences(a.array, b.array, at)
    elif isinstance(a, pd.Categorical):
        if a.ordered != b.ordered:
            yield f"{at}: ordered {a.ordered} against {b.ordered}"
        yield from differences(a.codes, b.codes, f"{at}.codes")
        yield from differences(a.categories, b.categories, f"{at}.categories")
    elif isinstance(a, pd.api.extensions.ExtensionArray):
        if a.dtype != b.dtype:
            yield f"{at}: {a.dtype} against {b.dtype}"
        elif hasattr(a, "_ndarray") and not hasattr(a, "_mask"):
            yield from differences(a.to_numpy(), b.to_numpy(), at)
        else:
            yield from differences(a.isna(), b.isna(), f"{at}.isna")
            yield from differences(a[~a.isna()].to_numpy(), b[~b.isna()].to_numpy(), at)
    elif sparse.issparse(a):
        for part in ("format", "shape", "data", "indices", "indptr"):
            yield from differences(getattr(a, part), getattr(b, part), f"{at}.{part}")
    elif isinstance(a, np.ndarray):
        yield from of_arrays(a, b, at)
    elif type(a).__module__.startswith("awkward"):
        if a.to_list() != b.to_list() or str(a.type) != str(b.type):
            yield f"{at}: awkward arrays differ"
    elif isinstance(a, (float, np.floating)) and np.isnan(a):
        if not np.isnan(b):
            yield f"{at}: {a!r} against {b!r}"
    elif a != b:
        yield f"{at}: {a!r} against {b!r}"


def of_data_sets(a, b, at):
    yield from differences(repr(a), repr(b), f"{at} repr")
    for part in ("X", "obs", "var", "raw"):
        yield from differences(getattr(a, part), getattr(b, part), f"{at}.{part}")
    for part in ("layers", "obsm", "varm", "obsp", "varp", "uns"):
        yield from differences(dict(getattr(a, part)), dict(getattr(b, part)), f"{at}.{part}")


def of_multimodal(a, b, at):
    yield from differences(repr(a), repr(b), f"{at} repr")
    yield from differences(int(a.axis), int(b.axis), f"{at}.axis")
    for part in ("obs", "var"):
        yield from differences(getattr(a, part), getattr(b, part), f"{at}.{part}")
    for part in ("obsm", "varm", "obsp", "varp", "uns", "obsmap", "varmap", "mod"):
        yield from differences(dict(getattr(a, part)), dict(getattr(b, part)), f"{at}.{part}")


def of_arrays(a, b, at):
    if a.dtype.newbyteorder("=") != b.dtype.newbyteorder("=") or a.shape != b.shape:
        yield f"{at}: {a.dtype}{a.shape} against {b.dtype}{b.shape}"
    elif a.dtype.names:
        for name in a.dtype.names:
            yield from of_arrays(a[name], b[name], f"{at}[{name!r}]")
    elif a.dtype == object:
        for i, (x, y) in enumerate(zip(a.ravel(), b.ravel())):
            if x is pd.NA and y is pd.NA:
                continue
            both_text = isinstance(x, str) and isinstance(y, str)  # numpy's strings are strings
            if (type(x) is not type(y) and not both_text) or (x != y and not (x != x and y != y)):
                yield f"{at}[{i}]: {x!r} against {y!r}"
                return
    elif not np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"):
        yield f"{at}: values differ"
    elif a.dtype.kind == "f" and not np.array_equal(np.signbit(a), np.signbit(b)):
        yield f"{at}: signs of zeros differ"


def opened(path):
    """What Python makes of a file; whoever wrote an .h5mu file says so in its first bytes."""
    import anndata
    import mudata

    if not path.endswith(".h5mu"):
        return anndata.read_h5ad(path)
    with open(path, "rb") as file:
        assert file.read(24) == b"MuData (format-version=0", f"{path} does not begin as MuData"
    return mudata.read_h5mu(path)


def opens_in_scanpy(path):
    import scanpy

    if path.endswith(".h5mu"):
        opened(path).copy()
        return

    adata = scanpy.read_h5ad(path)
    adata.copy()
    if adata.n_obs > 0 and adata.n_vars > 0 and adata.X is not None:
        scanpy.pp.calculate_qc_metrics(adata[:50], inplace=False, percent_top=None)
    str(adata)


def of_files(a, b):
    """Lines for two files. In one older than the encodings each element counts as equal when it is
    what anndata reads there, or what it reads after it has written the file anew."""
    import anndata
    import h5py

    first, second = opened(a), opened(b)
    found = list(differences(first, second, f"{a} | "))
    with h5py.File(a) as file:
        is_old = "encoding-type" not in file.attrs
    if found and is_old:
        with tempfile.NamedTemporaryFile(suffix=".h5ad") as renewed:
            first.write_h5ad(renewed.name)
            first = anndata.read_h5ad(renewed.name)
        places = {line.split(": ")[0] for line in differences(first, second, f"{a} | ")}
        found = [line for line in found if line.split(": ")[0] in places]
    return found


def changes():
    """Small changes to a data set, each of which must be noticed."""

    def value(adata):
        adata.X = adata.X.copy()
        adata.X.data[3] += 1

    def order(adata):
        adata.obs["cat"] = adata.obs["cat"].cat.reorder_categories(["a", "b", "é"])

    def ordered(adata):
        adata.obs["cat"] = adata.obs["cat"].cat.as_ordered()

    def mask(adata):
        adata.obs["nullable_Int8"] = adata.obs["nullable_Int8"].fillna(0)

    def raw(adata):
        adata.raw.X.data[0] += 1

    return [
        value,
        order,
        ordered,
        mask,
        raw,
        lambda a: a.obs.__setitem__("number_i4", a.obs["number_i4"].astype("i8")),
        lambda a: a.obs.__setitem__("strings", a.obs["strings"].where(a.obs.index != a.obs.index[0], "?")),
        lambda a: a.obs.drop(columns="strings", inplace=True),
        lambda a: setattr(a.obs.index, "name", None),
        lambda a: a.layers.__delitem__("csr_f4"),
        lambda a: a.layers.__setitem__("csr_f4", a.layers["csr_f4"].tocsc()),
        lambda a: a.layers.__setitem__("dense_f4", np.nan_to_num(a.layers["dense_f4"])),
        lambda a: a.obsm["X_pca"].__setitem__((0, 0), 9),
        lambda a: a.obsm["frame"].__setitem__("number_f8", 0.0),
        lambda a: a.varp["correlation"].__setitem__((1, 2), 9),
        lambda a: a.uns["nested"]["deeper"]["deepest"].__setitem__("values", np.arange(5)),
        lambda a: a.uns.__setitem__("int", 3.0),
        lambda a: a.uns.__setitem__("none", "None"),
        lambda a: a.uns["records"].__setitem__(0, ("b", 1.5, 2)),
        lambda a: a.uns.__setitem__("ragged", a.uns["ragged"][:1]),
    ]


def notices_changes(path):
    """Whether every change made to the file at `path` is noticed."""
    import anndata

    for i, change in enumerate(changes()):
        first, second = anndata.read_h5ad(path), anndata.read_h5ad(path)
        assert not list(differences(first, second, "")), "a file differs from itself"
        change(second)
        assert list(differences(first, second, "")), f"change {i} was not noticed"
    print("noticed")


def main(paths):
    found = []
    for a, b in zip(paths[::2], paths[1::2], strict=True):
        try:
            found += of_files(a, b)
            opens_in_scanpy(b)
        except Exception as error:
            found.append(f"{a} | {b}: {type(error).__name__}: {error}")
    print("\n".join(found) if found else f"{len(paths) // 2} equal")
    return 1 if found else 0


if __name__ == "__main__":
    if sys.argv[1] == "--notices":
        sys.exit(notices_changes(sys.argv[2]))
    sys.exit(main(sys.argv[1:]))
