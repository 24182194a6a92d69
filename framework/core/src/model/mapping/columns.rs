//! Columns of matrices and rows of tables, chosen, reordered and padded.

use std::{any::Any, ops::Range, sync::Arc};

use crate::{
    anndata::{
        Backed, Categorical, DType, DataFrame, Dense, Element, Mapping, Nullable, Number, Sparse,
        SparseFormat, Strings, Values,
    },
    error::{Error, Result},
    with_values,
};

/// Where each entry of the result comes from; `None` for one that is new. No place occurs twice.
pub(super) type Places = [Option<usize>];

/// The columns of a matrix `[n, n_old]` at `places`, zeros where they are new `[n, n_new]`. A matrix on
/// disk stays there.
pub(super) fn take_columns(matrix: &Element, places: &Arc<Places>, what: &str) -> Result<Element> {
    Ok(match matrix {
        Element::Dense(dense) if dense.shape.len() == 2 => {
            Element::Dense(dense_columns(dense, places))
        }
        Element::Sparse(sparse) => Element::Sparse(sparse_columns(sparse, places)?),
        Element::Backed(matrix) => {
            let (matrix, places, what) = (matrix.clone(), places.clone(), what.to_owned());
            Element::Backed(Arc::new(Columns { matrix, places, what }))
        }
        other => {
            return Err(Error::Kind {
                what: what.into(),
                expected: "a matrix of numbers".into(),
                found: other.kind(),
            });
        }
    })
}

/// Columns of a matrix on disk.
#[derive(Debug)]
struct Columns {
    matrix: Arc<dyn Backed>,
    places: Arc<Places>,
    what: String,
}

impl Backed for Columns {
    fn shape(&self) -> Vec<usize> {
        vec![self.matrix.shape().first().copied().unwrap_or(0), self.places.len()]
    }
    fn dtype(&self) -> DType {
        self.matrix.dtype()
    }
    fn rows(&self, rows: Range<usize>) -> Result<Element> {
        take_columns(&self.matrix.rows(rows)?, &self.places, &self.what)
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn dense_columns(dense: &Dense, places: &Places) -> Dense {
    fn gather<T: Number + Default>(values: &[T], n_old: usize, places: &Places) -> Values {
        let row = |row: &[T]| -> Vec<T> {
            places.iter().map(|place| place.map_or(T::default(), |old| row[old])).collect()
        };
        values.chunks_exact(n_old.max(1)).flat_map(row).collect::<Vec<T>>().into()
    }
    let shape = vec![dense.shape[0], places.len()];
    let mut values = with_values!(&dense.values, v => gather(v, dense.shape[1], places));
    if dense.shape[1] == 0 {
        values = with_values!(&dense.values, v => zeros_like(v, shape[0] * shape[1]));
    }
    Dense { shape, values }
}

fn zeros_like<T: Number + Default>(_: &[T], n: usize) -> Values {
    vec![T::default(); n].into()
}

fn sparse_columns(sparse: &Sparse, places: &Places) -> Result<Sparse> {
    let starts = sparse.indptr.to_i64();
    let run = |major: usize| starts[major] as usize..starts[major + 1] as usize;
    let (mut from, mut ends, mut indices) = (Vec::new(), vec![0i64], Vec::new());
    match sparse.format {
        SparseFormat::Csr => {
            let mut new_of = vec![None; sparse.shape[1]];
            for (new, old) in places.iter().enumerate().filter_map(|(i, p)| Some((i, (*p)?))) {
                new_of[old] = Some(new as i64);
            }
            let columns = sparse.indices.to_i64();
            for row in 0..sparse.shape[0] {
                let kept = run(row).filter_map(|i| Some((new_of[columns[i] as usize]?, i)));
                let mut kept: Vec<(i64, usize)> = kept.collect();
                kept.sort_unstable();
                indices.extend(kept.iter().map(|&(column, _)| column));
                from.extend(kept.iter().map(|&(_, i)| i));
                ends.push(from.len() as i64);
            }
        }
        SparseFormat::Csc => {
            let rows = sparse.indices.to_i64();
            for place in places {
                from.extend(place.map(run).into_iter().flatten());
                ends.push(from.len() as i64);
            }
            indices.extend(from.iter().map(|&i| rows[i]));
        }
    }
    let shape = [sparse.shape[0], places.len()];
    let short = ends.last().is_none_or(|&n| i32::try_from(n).is_ok());
    let integers = |values: Vec<i64>| -> Values {
        match short {
            true => values.into_iter().map(|v| v as i32).collect::<Vec<_>>().into(),
            false => values.into(),
        }
    };
    let data = sparse.data.take(from.into_iter());
    Sparse::new(sparse.format, shape, data, integers(indices), integers(ends))
}

/// The columns of a table at `places` of its rows; values that are new are missing.
pub(super) fn take_table(table: &DataFrame, names: &[String], places: &Places) -> DataFrame {
    let columns = table.columns.iter();
    let taken = columns.filter_map(|(key, c)| Some((key.clone(), take_rows(c, names, places)?)));
    let columns: Mapping = taken.collect();
    let index = Box::new(Element::strings(names));
    DataFrame { index, index_name: table.index_name.clone(), columns }
}

/// The rows of an element at `places`, missing where they are new; `None` where nothing says "missing"
/// in an element of its kind.
pub(super) fn take_rows(element: &Element, names: &[String], places: &Places) -> Option<Element> {
    if let Some(all) = places.iter().copied().collect::<Option<Vec<usize>>>() {
        return element.take_rows(&all).ok();
    }
    let mask = || places.iter().map(Option::is_none).collect();
    Some(match element {
        Element::Dense(dense) => dense_rows(dense, places, mask),
        Element::Strings(strings) if strings.shape().len() == 1 => text_rows(strings, places),
        Element::Categorical(c) => {
            let codes = c.codes.to_i64();
            let codes: Vec<i64> = places.iter().map(|p| p.map_or(-1, |old| codes[old])).collect();
            let codes = match c.codes.dtype() {
                DType::Int8 => codes.into_iter().map(|code| code as i8).collect::<Vec<_>>().into(),
                DType::Int16 => {
                    codes.into_iter().map(|code| code as i16).collect::<Vec<_>>().into()
                }
                _ => codes.into_iter().map(|code| code as i32).collect::<Vec<_>>().into(),
            };
            Element::Categorical(Categorical { codes, ..c.clone() })
        }
        Element::Nullable(n) => {
            let anything: Vec<usize> = places.iter().map(|p| p.unwrap_or(0)).collect();
            Element::Nullable(Nullable {
                values: Box::new(n.values.take_rows(&anything).ok()?),
                mask: places.iter().map(|p| p.is_none_or(|old| n.mask[old])).collect(),
            })
        }
        Element::DataFrame(table) => Element::DataFrame(take_table(table, names, places)),
        _ => return None,
    })
}

/// Numbers with a fraction are NaN where missing; others are marked in a column, and become such
/// numbers in a matrix.
fn dense_rows(
    dense: &Dense,
    places: &Places,
    mask: impl Fn() -> crate::anndata::Buffer<bool>,
) -> Element {
    let width: usize = dense.shape[1..].iter().product();
    let mut shape = dense.shape.clone();
    shape[0] = places.len();
    let fill = |missing: f64| -> Vec<f64> {
        let row = |place: &Option<usize>| -> Vec<f64> {
            let values =
                |old: usize| (old * width..(old + 1) * width).map(|i| dense.values.get_f64(i));
            place.map_or(vec![missing; width], |old| values(old).collect())
        };
        places.iter().flat_map(row).collect()
    };
    match dense.values.dtype() {
        DType::Float32 => {
            let values = fill(f64::NAN).into_iter().map(|v| v as f32).collect::<Vec<_>>().into();
            Element::Dense(Dense { shape, values })
        }
        DType::Bool if shape.len() == 1 => {
            let values: Vec<bool> = fill(0.0).into_iter().map(|v| v != 0.0).collect();
            Element::Nullable(Nullable { values: Box::new(Element::vector(values)), mask: mask() })
        }
        DType::Float16 | DType::Float64 => {
            Element::Dense(Dense { shape, values: fill(f64::NAN).into() })
        }
        _ if shape.len() == 1 => {
            let old = dense.values.to_i64();
            let values: Vec<i64> = places.iter().map(|p| p.map_or(0, |i| old[i])).collect();
            Element::Nullable(Nullable { values: Box::new(Element::vector(values)), mask: mask() })
        }
        _ => Element::Dense(Dense { shape, values: fill(f64::NAN).into() }),
    }
}

/// Text becomes categories, which may be missing.
fn text_rows(strings: &Strings, places: &Places) -> Element {
    let kept: Vec<Option<&str>> = places.iter().map(|p| p.map(|old| strings.get(old))).collect();
    let mut categories: Vec<&str> = kept.iter().copied().flatten().collect();
    categories.sort_unstable();
    categories.dedup();
    let code = |text: &str| categories.partition_point(|known| *known < text) as i32;
    let codes: Vec<i32> = kept.iter().map(|text| text.map_or(-1, code)).collect();
    Element::Categorical(Categorical {
        codes: codes.into(),
        categories: Box::new(Element::strings(categories)),
        ordered: false,
    })
}
