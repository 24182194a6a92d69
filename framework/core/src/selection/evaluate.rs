//! What an expression says of each cell, as pandas would say it; where pandas silently finds text
//! and numbers unequal, the query is refused.

use std::{cmp::Ordering, collections::HashSet};

use half::f16;

use super::{
    Wrong,
    column::{Categories, Column, Data},
    parse::{Comparison, Expr, Method, What},
};
use crate::{
    anndata::{DType, DataFrame},
    error::list,
    params::nearest,
};

/// Whether the query is true of each cell; `None` where that is missing.
///
/// # Errors
/// When a column is not there, or values of its kind cannot be asked that.
pub(super) fn truth(query: &Expr, obs: &DataFrame) -> Result<Vec<Option<bool>>, Wrong> {
    let cells = Cells { obs };
    let found = cells.truths(query)?;
    if found.is_single() && obs.n_rows() != 1 {
        let expected = "a comparison with a column of obs".into();
        return Err(Wrong { at: query.at, expected, found: "the same of all cells".into() });
    }
    Ok((0..obs.n_rows()).map(|i| found.truth(i)).collect())
}

struct Cells<'a> {
    obs: &'a DataFrame,
}

impl<'a> Cells<'a> {
    fn value(&self, expr: &'a Expr) -> Result<Column<'a>, Wrong> {
        let at = expr.at;
        match &expr.what {
            What::Text(text) => Ok(Data::Texts(vec![text]).into()),
            What::Number(number) => Ok(Column::number(*number)),
            What::Flag(flag) => Ok(Data::Numbers(vec![f64::from(*flag)], DType::Bool).into()),
            What::Column(name) => self.column(at, name),
            What::List(_) => Err(Wrong {
                at,
                expected: "a value, or the list behind `in`, `==` or `!=`".into(),
                found: "a list".into(),
            }),
            What::Minus(inner) => {
                let (zero, inner) = (Column::number(-0.0), self.value(inner)?);
                arithmetic(at, '-', &zero, &inner)
            }
            What::Arithmetic(first, rest) => {
                let mut value = self.value(first)?;
                for (operator, right) in rest {
                    value = arithmetic(right.at, *operator, &value, &self.value(right)?)?;
                }
                Ok(value)
            }
            What::Not(inner) => {
                let inner = self.truths(inner)?;
                Ok((0..inner.data.len()).map(|i| inner.truth(i).map(|t| !t)).collect())
            }
            What::All(parts) => Ok(any(&self.parts(parts)?, false)),
            What::Any(parts) => Ok(any(&self.parts(parts)?, true)),
            What::Compare(first, rest) => self.compare(first, rest),
            What::Method(subject, method, args) => {
                let subject = self.value(subject)?;
                let missing = (0..subject.data.len()).map(|i| subject.is_missing(i));
                match method {
                    Method::IsNa => Ok(missing.map(Some).collect()),
                    Method::NotNa => Ok(missing.map(|missing| Some(!missing)).collect()),
                    Method::IsIn => contained(&subject, args, true),
                }
            }
        }
    }

    fn column(&self, at: usize, name: &str) -> Result<Column<'a>, Wrong> {
        let index = (name == "index" || self.obs.index_name.as_deref() == Some(name))
            .then_some(&*self.obs.index);
        let Some(element) = self.obs.columns.get(name).or(index) else {
            let present: Vec<String> = self.obs.columns.keys().cloned().collect();
            let hint = nearest(name, &present)
                .map(|nearest| format!("did you mean `{nearest}`? "))
                .unwrap_or_default();
            let expected = format!("a column of obs ({hint}present: {})", list(&present));
            return Err(Wrong { at, expected, found: format!("`{name}`") });
        };
        Column::of(element).ok_or_else(|| Wrong {
            at,
            expected: "a column of text, numbers or truths".into(),
            found: element.kind(),
        })
    }

    /// What must be true or false.
    fn truths(&self, expr: &'a Expr) -> Result<Column<'a>, Wrong> {
        let value = self.value(expr)?;
        match &value.data {
            Data::Numbers(_, DType::Bool) => Ok(value),
            other => Err(Wrong {
                at: expr.at,
                expected: "something true or false".into(),
                found: other.kind().into(),
            }),
        }
    }

    fn parts(&self, parts: &'a [Expr]) -> Result<Vec<Column<'a>>, Wrong> {
        parts.iter().map(|part| self.truths(part)).collect()
    }

    fn compare(
        &self,
        first: &'a Expr,
        rest: &'a [(Comparison, Expr)],
    ) -> Result<Column<'a>, Wrong> {
        let (mut left, mut links) = (first, Vec::new());
        for (how, right) in rest {
            links.push(self.link(left, *how, right)?);
            left = right;
        }
        Ok(any(&links, false))
    }

    fn link(&self, left: &'a Expr, how: Comparison, right: &'a Expr) -> Result<Column<'a>, Wrong> {
        let equality = matches!(how, Comparison::Equal | Comparison::Unequal);
        let membership = matches!(how, Comparison::In | Comparison::NotIn);
        let wanted = matches!(how, Comparison::Equal | Comparison::In);
        match (&left.what, &right.what) {
            (_, What::List(entries)) if equality || membership => {
                contained(&self.value(left)?, entries, wanted)
            }
            _ if membership => {
                let expected = "a list, as ['a', 'b']".into();
                Err(Wrong { at: right.at, expected, found: "no list".into() })
            }
            // pandas looks for a text as in a list of one: what is missing is not it.
            (_, What::Text(_)) if equality => {
                contained(&self.value(left)?, std::slice::from_ref(right), wanted)
            }
            (What::Text(_), _) if equality => {
                contained(&self.value(right)?, std::slice::from_ref(left), wanted)
            }
            _ => compared(right.at, how, &self.value(left)?, &self.value(right)?),
        }
    }
}

/// Whether any part is `decisive`, else the opposite, in a logic where what is missing may be either.
fn any<'a>(parts: &[Column<'_>], decisive: bool) -> Column<'a> {
    each(&parts.iter().collect::<Vec<_>>(), |i| {
        let mut truths = parts.iter().map(|part| part.truth(i));
        match truths.clone().any(|truth| truth == Some(decisive)) {
            true => Some(decisive),
            false => truths.all(|truth| truth.is_some()).then_some(!decisive),
        }
    })
}

/// A truth for each cell, or one where all of `of` are single.
fn each<'a>(of: &[&Column<'_>], truth: impl FnMut(usize) -> Option<bool>) -> Column<'a> {
    let n = of.iter().map(|column| column.data.len()).find(|n| *n != 1).unwrap_or(1);
    (0..n).map(truth).collect()
}

fn arithmetic<'a>(
    at: usize,
    operator: char,
    left: &Column<'_>,
    right: &Column<'_>,
) -> Result<Column<'a>, Wrong> {
    let (Data::Numbers(a, a_type), Data::Numbers(b, b_type)) = (&left.data, &right.data) else {
        let expected = format!("numbers on both sides of `{operator}`");
        return Err(Wrong { at, expected, found: "text".into() });
    };
    let dtype = match (left.is_single(), right.is_single()) {
        (true, false) => wider(*b_type, *b_type),
        (false, true) => wider(*a_type, *a_type),
        _ => wider(*a_type, *b_type),
    };
    let n = if left.is_single() { b.len() } else { a.len() };
    let values = (0..n).map(|i| {
        let (a, b) = (a[left.place(i)], b[right.place(i)]);
        let value = match operator {
            '+' => a + b,
            '-' => a - b,
            '*' => a * b,
            _ => a / b,
        };
        narrowed(value, dtype)
    });
    Ok(Column {
        data: Data::Numbers(values.collect(), dtype),
        missing: (0..n).map(|i| left.is_missing(i) || right.is_missing(i)).collect(),
        nullable: left.nullable || right.nullable,
        categories: None,
    })
}

/// The type that holds numbers of both, as numpy has it; whole numbers become float64 here.
fn wider(a: DType, b: DType) -> DType {
    const fn bits(dtype: DType) -> usize {
        match dtype {
            DType::Float16 | DType::Bool | DType::Int8 | DType::UInt8 => 16,
            DType::Float32 | DType::Int16 | DType::UInt16 => 32,
            _ => 64,
        }
    }
    let float = |dtype| matches!(dtype, DType::Float16 | DType::Float32);
    match bits(a).max(bits(b)) {
        16 if float(a) || float(b) => DType::Float16,
        32 if float(a) || float(b) => DType::Float32,
        _ => DType::Float64,
    }
}

/// The nearest number of this type.
fn narrowed(value: f64, dtype: DType) -> f64 {
    match dtype {
        DType::Float16 => f16::from_f64(value).into(),
        DType::Float32 => f64::from(value as f32),
        _ => value,
    }
}

fn compared<'a>(
    at: usize,
    how: Comparison,
    left: &Column<'_>,
    right: &Column<'_>,
) -> Result<Column<'a>, Wrong> {
    let ordering = !matches!(how, Comparison::Equal | Comparison::Unequal);
    let ranked = match (ordering, &left.categories, &right.categories) {
        (true, Some(categories), _) => Some(ranks(at, categories, right)?),
        (true, None, Some(categories)) => ranks(at, categories, left).map(|[a, b]| Some([b, a]))?,
        _ => None,
    };
    let compare: Box<dyn Fn(usize) -> Option<Ordering>> = match (&ranked, &left.data, &right.data) {
        (Some([a, b]), ..) => Box::new(|i| a[left.place(i)].partial_cmp(&b[right.place(i)])),
        (None, Data::Texts(a), Data::Texts(b)) => {
            Box::new(|i| Some(a[left.place(i)].cmp(b[right.place(i)])))
        }
        (None, Data::Numbers(a, a_type), Data::Numbers(b, b_type)) => Box::new(|i| {
            // A number in the text of the query is of the column's type.
            let (a_type, b_type) = (*a_type, *b_type);
            let number = |numbers: &[f64], of: &Column<'_>, other: &Column<'_>, dtype| {
                let number = numbers[of.place(i)];
                if of.is_single() && !other.is_single() { narrowed(number, dtype) } else { number }
            };
            number(a, left, right, b_type).partial_cmp(&number(b, right, left, a_type))
        }),
        (None, a, b) => return Err(unlike(at, a, b)),
    };
    Ok(each(&[left, right], |i| {
        let missing = [left, right].map(|side| side.is_missing(i));
        if missing[0] && left.nullable || missing[1] && right.nullable {
            return None;
        }
        let ordering = if missing.contains(&true) { None } else { compare(i) };
        Some(match how {
            Comparison::Equal => ordering == Some(Ordering::Equal),
            Comparison::Unequal => ordering != Some(Ordering::Equal),
            Comparison::Less => ordering == Some(Ordering::Less),
            Comparison::LessOrEqual => ordering.is_some_and(Ordering::is_le),
            Comparison::Greater => ordering == Some(Ordering::Greater),
            _ => ordering.is_some_and(Ordering::is_ge),
        })
    }))
}

/// Places of a column's values in the order of its categories, and those of what it is compared with.
fn ranks(
    at: usize,
    categories: &Categories<'_>,
    other: &Column<'_>,
) -> Result<[Vec<f64>; 2], Wrong> {
    let wrong =
        |expected: &str, found: &str| Wrong { at, expected: expected.into(), found: found.into() };
    if !categories.ordered {
        return Err(wrong("`==`, `!=` or `in`, as its categories have no order", "an order"));
    }
    if let Some(others) = &other.categories {
        if !others.ordered || others.all != categories.all {
            return Err(wrong("the same categories in the same order", "others"));
        }
        return Ok([categories.codes.clone(), others.codes.clone()]);
    }
    let position = match (&categories.all, &other.data) {
        (Data::Texts(all), Data::Texts(one)) if one.len() == 1 => {
            all.iter().position(|c| *c == one[0])
        }
        (Data::Numbers(all, _), Data::Numbers(one, _)) if one.len() == 1 => {
            all.iter().position(|c| *c == one[0])
        }
        _ => None,
    };
    let position =
        position.ok_or_else(|| wrong("one of the column's categories", "another value"))?;
    Ok([categories.codes.clone(), vec![position as f64]])
}

fn unlike(at: usize, left: &Data<'_>, right: &Data<'_>) -> Wrong {
    let expected = match left {
        Data::Texts(_) => "text, e.g. '1' for 1",
        Data::Numbers(_, DType::Bool) => "True, False or a number",
        Data::Numbers(..) => "a number, e.g. 1 for '1'",
    };
    Wrong { at, expected: expected.into(), found: right.kind().into() }
}

/// Whether each value is one of `entries`, or none where `wanted` is false. What is missing is none.
fn contained<'a>(
    subject: &Column<'_>,
    entries: &[Expr],
    wanted: bool,
) -> Result<Column<'a>, Wrong> {
    let (mut texts, mut numbers) = (HashSet::new(), HashSet::new());
    let bits = |number: f64| (number + 0.0).to_bits(); // -0 is 0
    for entry in entries {
        match (&entry.what, &subject.data) {
            (What::Text(text), Data::Texts(_)) => drop(texts.insert(text.as_str())),
            (What::Number(number), Data::Numbers(..)) => drop(numbers.insert(bits(*number))),
            (What::Flag(flag), Data::Numbers(..)) => drop(numbers.insert(bits(f64::from(*flag)))),
            (What::Text(_), left) => return Err(unlike(entry.at, left, &Data::Texts(vec![]))),
            (What::Number(_) | What::Flag(_), left) => {
                let number = Data::Numbers(vec![], DType::Float64);
                return Err(unlike(entry.at, left, &number));
            }
            _ => {
                let expected = "a text in quotes, a number, True or False".into();
                return Err(Wrong { at: entry.at, expected, found: "something else".into() });
            }
        }
    }
    Ok(each(&[subject], |i| {
        let found = match &subject.data {
            Data::Texts(values) => texts.contains(values[i]),
            Data::Numbers(values, _) => numbers.contains(&bits(values[i])),
        };
        Some((found && !subject.is_missing(i)) == wanted)
    }))
}
