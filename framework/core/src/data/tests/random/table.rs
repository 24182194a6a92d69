//! A data set as plainly as can be: a list of values per column and a list of counts per cell.

use super::*;
use crate::anndata::{Categorical, Nullable};

/// Columns whose values serve as categories.
pub const CATEGORICAL: [&str; 4] = ["k0", "k1", "k2", "k3"];
/// Columns whose values serve as numbers, most of them.
pub const NUMERICAL: [&str; 4] = ["v0", "v1", "v2", "v3"];

/// One value.
#[derive(Clone, Debug)]
pub enum Value {
    Text(&'static str),
    Int(i64),
    Float(f64),
    Bool(bool),
}

impl Value {
    /// As a number, if it is one. Python's booleans are none here.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            _ => self.number().is_some() && self.number() == other.number(),
        }
    }

    /// Whether it sorts before another value of its kind.
    pub fn before(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.chars().lt(b.chars()),
            (Self::Bool(a), Self::Bool(b)) => !a & b,
            _ => self.number() < other.number(),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Int,
    Float,
    Bool,
}

impl Kind {
    fn values(self) -> Vec<Value> {
        match self {
            Self::Text => ["", "a", "b", "B", "ä", "10", "9"].map(Value::Text).into(),
            Self::Int => [-3, 0, 1, 2, 10].map(Value::Int).into(),
            Self::Float => [-0.5, 0.0, 1.0, 2.25, 10.0].map(Value::Float).into(),
            Self::Bool => [false, true].map(Value::Bool).into(),
        }
    }
}

/// How a column is stored.
#[derive(Clone, Debug)]
enum Form {
    /// As an array.
    Plain,
    /// As numbers of a list; the order of which may mean something.
    Categorical { list: Vec<Value>, ordered: bool },
    /// As an array and where it counts.
    Nullable,
}

/// A value per cell, none where it is missing.
#[derive(Clone, Debug)]
pub struct Column {
    pub values: Vec<Option<Value>>,
    kind: Kind,
    form: Form,
}

impl Column {
    fn random(n_obs: usize, kind: Kind, form: u8, faulty: bool, random: &mut StdRng) -> Self {
        let mut values = kind.values();
        let form = match form {
            0 => Form::Plain,
            1 => {
                let n = random.random_range(1..=values.len());
                values = values.choose_multiple(random, n).cloned().collect();
                Form::Categorical { list: values.clone(), ordered: random.random_bool(0.5) }
            }
            _ => Form::Nullable,
        };
        let can_miss =
            faulty && !matches!((&form, kind), (Form::Plain, Kind::Text | Kind::Int | Kind::Bool));
        let mut draw = || {
            let missing = can_miss && random.random_bool(0.2);
            (!missing).then(|| values[random.random_range(0..values.len())].clone())
        };
        Self { values: (0..n_obs).map(|_| draw()).collect(), kind, form }
    }

    /// The list, when it is stored by one.
    pub fn list(&self) -> Option<&[Value]> {
        match &self.form {
            Form::Categorical { list, .. } => Some(list),
            _ => None,
        }
    }

    /// Whether models can take it for numbers: true, false and 1 they can, text and categories not.
    pub fn is_numbers(&self) -> bool {
        !matches!(self.kind, Kind::Text) && self.list().is_none()
    }

    fn element(&self, random: &mut StdRng) -> Element {
        let present = |fill: &Value| -> Vec<Value> {
            self.values.iter().map(|v| v.clone().unwrap_or(fill.clone())).collect()
        };
        match &self.form {
            Form::Plain => array(&present(&Value::Float(f64::NAN)), self.kind, random),
            Form::Nullable => Element::Nullable(Nullable {
                values: Box::new(array(&present(&self.kind.values()[0]), self.kind, random)),
                mask: self.values.iter().map(Option::is_none).collect(),
            }),
            Form::Categorical { list, ordered } => {
                let code = |value: &Option<Value>| match value {
                    Some(value) => list.iter().position(|other| other.same(value)).unwrap() as i8,
                    None => -1,
                };
                let codes: Vec<i8> = self.values.iter().map(code).collect();
                let categories = Box::new(array(list, self.kind, random));
                Element::Categorical(Categorical {
                    codes: codes.into(),
                    categories,
                    ordered: *ordered,
                })
            }
        }
    }
}

/// Values of one kind as an array of some dtype that holds them.
fn array(values: &[Value], kind: Kind, random: &mut StdRng) -> Element {
    let numbers: Vec<f64> = values.iter().map(|v| v.number().unwrap_or_default()).collect();
    let wide = random.random_bool(0.5);
    match kind {
        Kind::Text => Element::strings(values.iter().map(|value| match value {
            Value::Text(text) => *text,
            other => panic!("{other:?} is no text"),
        })),
        Kind::Bool => Element::vector(
            values.iter().map(|v| matches!(v, Value::Bool(true))).collect::<Vec<_>>(),
        ),
        Kind::Int if wide => Element::vector(numbers.iter().map(|&v| v as i64).collect::<Vec<_>>()),
        Kind::Int => Element::vector(numbers.iter().map(|&v| v as i8).collect::<Vec<_>>()),
        Kind::Float if wide => Element::vector(numbers),
        Kind::Float => Element::vector(numbers.iter().map(|&v| v as f32).collect::<Vec<_>>()),
    }
}

/// A data set.
#[derive(Clone, Debug)]
pub struct Table {
    /// A list of counts per cell.
    pub counts: Vec<Vec<u8>>,
    columns: Vec<(&'static str, Column)>,
}

impl Table {
    pub fn random(random: &mut StdRng) -> Self {
        let faulty = random.random_bool(0.3);
        let kinds = [Kind::Text, Kind::Int, Kind::Float, Kind::Bool];
        let of = |name: &str, random: &mut StdRng| match name.starts_with('v') && !faulty {
            true => (kinds[random.random_range(1..4)], 2 * random.random_range(0..2)),
            false => (kinds[random.random_range(0..4)], random.random_range(0..3)),
        };
        let n_vars = random.random_range(1..=5);
        Self::made_of(n_vars, faulty, of, random)
    }

    /// Another one of as many genes, whose columns are of the kinds that `other` has, most of them.
    pub fn like(other: &Self, random: &mut StdRng) -> Self {
        let faulty = random.random_bool(0.1);
        let kinds = [Kind::Text, Kind::Int, Kind::Float, Kind::Bool];
        let of = |name: &str, random: &mut StdRng| {
            let kind = other.column(name).kind;
            match name.starts_with('v') {
                true => (kind, if faulty { 1 } else { 2 * random.random_range(0..2) }),
                false if random.random_bool(0.05) => (kinds[random.random_range(0..4)], 0),
                false => (kind, random.random_range(0..3)),
            }
        };
        Self::made_of(other.counts[0].len(), faulty, of, random)
    }

    fn made_of(
        n_vars: usize,
        faulty: bool,
        of: impl Fn(&str, &mut StdRng) -> (Kind, u8),
        random: &mut StdRng,
    ) -> Self {
        let n_obs = random.random_range(1..=9);
        let mut columns = Vec::new();
        for name in CATEGORICAL.into_iter().chain(NUMERICAL) {
            let (kind, form) = of(name, random);
            columns.push((name, Column::random(n_obs, kind, form, faulty, random)));
        }
        let mut count = || if random.random_bool(0.4) { random.random_range(1..9) } else { 0 };
        let counts = (0..n_obs).map(|_| (0..n_vars).map(|_| count()).collect()).collect();
        Self { counts, columns }
    }

    pub fn n_obs(&self) -> usize {
        self.counts.len()
    }

    pub fn column(&self, name: &str) -> &Column {
        &self.columns.iter().find(|(own, _)| *own == name).unwrap().1
    }

    /// As a data set, in some layout, with its counts in X and in a layer.
    pub fn adata(&self, random: &mut StdRng) -> AnnData {
        let shape = [self.counts.len(), self.counts[0].len()];
        let mut adata = AnnData::new(
            DataFrame::new((0..shape[0]).map(|i| format!("c{i}"))),
            DataFrame::new((0..shape[1]).map(|g| format!("g{g}"))),
        );
        let flat = self.counts.concat();
        for (slot, key) in [(Slot::X, ""), (Slot::Layers, "counts")] {
            let values = match random.random_range(0..4) {
                0 => cast(&flat, |v| v),
                1 => cast(&flat, |v| v as i64),
                2 => cast(&flat, |v| v as f32),
                _ => cast(&flat, |v| v as f64),
            };
            let matrix = match random.random_range(0..3) {
                0 => Element::matrix(shape[0], shape[1], values).unwrap(),
                1 => Element::Sparse(compressed(SparseFormat::Csr, shape, &values, Values::from)),
                _ => Element::Sparse(compressed(SparseFormat::Csc, shape, &values, Values::from)),
            };
            adata.set(slot, key, matrix).unwrap();
        }
        for (name, column) in &self.columns {
            adata.set(Slot::Obs, name, column.element(random)).unwrap();
        }
        adata
    }
}
