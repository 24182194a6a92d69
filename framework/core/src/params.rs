//! Arguments with names, defaults, ranges and help: one table for the command line, the checks and
//! the saved model.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// Named arguments as JSON.
pub type Args = Map<String, Value>;

/// What values an argument takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParamKind {
    /// True or false.
    Flag,
    /// A whole number.
    Int,
    /// A number.
    Float,
    /// Any text.
    Text,
    /// One of these words.
    Choice(Vec<String>),
    /// Several values.
    List(Box<ParamKind>),
    /// Rows of a data set: positions, a mask or a query.
    Rows,
    /// Any JSON value.
    Json,
}

/// Everything that is known about one argument.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParamSpec {
    /// Python's name of it, in snake case.
    pub name: String,
    /// What values it takes.
    pub kind: ParamKind,
    /// The value when none is given; null when the argument is optional.
    pub default: Value,
    /// Smallest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// What it means, in one or two sentences.
    pub help: String,
}

/// A set of arguments: a struct with `#[derive(Params)]`.
///
/// ```
/// use scvi_framework::params::{Params, ParamSpec};
///
/// /// Arguments of a small model.
/// #[derive(Clone, Debug, PartialEq, scvi_framework::Params)]
/// struct Small {
///     /// Dimension of the latent space.
///     #[param(default = 10, min = 1)]
///     n_latent: i64,
/// }
/// let given = [("n_latent".to_owned(), 5.into())].into_iter().collect();
/// assert_eq!(Small::from_args(&given)?, Small { n_latent: 5 });
/// assert_eq!(Small::specs()[0].help, "Dimension of the latent space.");
/// # Ok::<_, scvi_framework::Error>(())
/// ```
pub trait Params: Sized + Clone + Default + std::fmt::Debug + Send + Sync + 'static {
    /// The table of arguments, in order of declaration.
    fn specs() -> Vec<ParamSpec>;

    /// The values as JSON, all of them.
    fn to_args(&self) -> Args;

    /// Sets the argument called `name`, which is one of [`Params::specs`]; false if the value is of
    /// the wrong type.
    fn set(&mut self, name: &str, value: &Value) -> bool;

    /// Reads arguments: names that are not given take their defaults.
    ///
    /// # Errors
    /// Unknown names (with the nearest known one), wrong types, values out of range.
    fn from_args(args: &Args) -> Result<Self> {
        let specs = Self::specs();
        let mut params = Self::default();
        for (name, value) in args {
            let Some(spec) = specs.iter().find(|s| s.name == *name) else {
                return Err(unknown(name, specs.iter().map(|s| s.name.clone()).collect()));
            };
            if !spec.in_range(value) || !params.set(name, value) {
                let (expected, found) = (spec.expected(), value.to_string());
                return Err(Error::Argument { name: name.clone(), expected, found });
            }
        }
        Ok(params)
    }
}

impl ParamSpec {
    /// What would be accepted, for messages and help.
    pub fn expected(&self) -> String {
        let mut text = self.kind.expected();
        match (self.min, self.max) {
            (Some(min), Some(max)) => text += &format!(" from {min} to {max}"),
            (Some(min), None) => text += &format!(" of at least {min}"),
            (None, Some(max)) => text += &format!(" of at most {max}"),
            (None, None) => {}
        }
        text
    }

    fn in_range(&self, value: &Value) -> bool {
        let Some(number) = value.as_f64() else { return true };
        self.min.is_none_or(|m| number >= m) && self.max.is_none_or(|m| number <= m)
    }
}

impl ParamKind {
    fn expected(&self) -> String {
        match self {
            ParamKind::Flag => "true or false".into(),
            ParamKind::Int => "a whole number".into(),
            ParamKind::Float => "a number".into(),
            ParamKind::Text => "text".into(),
            ParamKind::Choice(words) => format!("one of {}", words.join(", ")),
            ParamKind::List(of) => format!("a list, each entry {}", of.expected()),
            ParamKind::Rows => {
                "positions as 3,4,5, a mask as [true,false,…], or a query on obs as \"batch == 'a'\""
                    .into()
            }
            ParamKind::Json => "JSON".into(),
        }
    }
}

/// The error for a name that is not in `known`.
fn unknown(name: &str, known: Vec<String>) -> Error {
    let nearest = nearest(name, &known);
    Error::UnknownArgument { name: name.into(), nearest, known }
}

/// The most similar of `known`, if any is similar enough to be a slip.
pub fn nearest(name: &str, known: &[String]) -> Option<String> {
    let scored = known.iter().map(|k| (strsim::jaro_winkler(name, k), k));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.8).then(|| best.1.clone())
}

/// A type that an argument can have.
pub trait ParamType: Sized {
    /// What values it takes.
    fn kind() -> ParamKind;
    /// Reads one; `None` when it is of another type.
    fn from_value(value: &Value) -> Option<Self>;
    /// Writes one.
    fn to_value(&self) -> Value;
}

macro_rules! plain {
    ($type:ty, $kind:ident, $read:expr) => {
        impl ParamType for $type {
            fn kind() -> ParamKind {
                ParamKind::$kind
            }
            fn from_value(value: &Value) -> Option<Self> {
                let read: fn(&Value) -> Option<Self> = $read;
                read(value)
            }
            fn to_value(&self) -> Value {
                self.clone().into()
            }
        }
    };
}
plain!(bool, Flag, Value::as_bool);
plain!(i64, Int, Value::as_i64);
plain!(u64, Int, Value::as_u64);
plain!(usize, Int, |v| v.as_u64().map(|n| n as usize));
plain!(f64, Float, Value::as_f64);
plain!(String, Text, |v| v.as_str().map(str::to_owned));
plain!(Value, Json, |v| Some(v.clone()));

impl<T: ParamType> ParamType for Option<T> {
    fn kind() -> ParamKind {
        T::kind()
    }
    fn from_value(value: &Value) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::from_value(value).map(Some) }
    }
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_value)
    }
}

impl<T: ParamType> ParamType for Vec<T> {
    fn kind() -> ParamKind {
        ParamKind::List(Box::new(T::kind()))
    }
    fn from_value(value: &Value) -> Option<Self> {
        match value {
            Value::Null => Some(Vec::new()),
            Value::Array(entries) => entries.iter().map(T::from_value).collect(),
            _ => None,
        }
    }
    fn to_value(&self) -> Value {
        Value::Array(self.iter().map(T::to_value).collect())
    }
}

/// Declares an enum whose values are words on the command line and in files.
///
/// ```
/// scvi_framework::choices! {
///     /// Shape of the posterior.
///     pub enum Latent {
///         /// Gaussian.
///         #[default]
///         Normal = "normal",
///         /// Softmax of a Gaussian.
///         LogisticNormal = "ln",
///     }
/// }
/// assert_eq!("ln".parse(), Ok(Latent::LogisticNormal));
/// ```
#[macro_export]
macro_rules! choices {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        $vis enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// The word for it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = ();
            fn from_str(word: &str) -> ::std::result::Result<Self, ()> {
                match word { $($word => Ok(Self::$variant),)+ _ => Err(()) }
            }
        }

        impl $crate::params::ParamType for $name {
            fn kind() -> $crate::params::ParamKind {
                $crate::params::ParamKind::Choice(vec![$($word.to_owned()),+])
            }
            fn from_value(value: &$crate::serde_json::Value) -> Option<Self> {
                value.as_str()?.parse().ok()
            }
            fn to_value(&self) -> $crate::serde_json::Value {
                self.word().into()
            }
        }
    };
}

/// Declares an enum that is a number, by default the one given, or a word in its place.
///
/// ```
/// use scvi_framework::params::ParamType;
///
/// scvi_framework::number_or! {
///     /// Width of a region.
///     pub enum Width {
///         /// This number.
///         Fixed = 0.5,
///         /// Estimated.
///         Estimated = "auto",
///     }
/// }
/// assert_eq!(Width::default(), Width::Fixed(0.5));
/// assert_eq!(Width::from_value(&"auto".into()), Some(Width::Estimated));
/// assert_eq!(Width::from_value(&"0.1".into()), Some(Width::Fixed(0.1)));
/// assert_eq!(Width::from_value(&"wide".into()), None);
/// ```
#[macro_export]
macro_rules! number_or {
    ($(#[$meta:meta])* $vis:vis enum $name:ident {
        $(#[$nmeta:meta])* $number:ident = $default:literal,
        $(#[$wmeta:meta])* $other:ident = $word:literal $(,)?
    }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq)]
        $vis enum $name {
            $(#[$nmeta])* $number(f64),
            $(#[$wmeta])* $other,
        }

        impl Default for $name {
            fn default() -> Self {
                Self::$number($default)
            }
        }

        impl $crate::params::ParamType for $name {
            fn kind() -> $crate::params::ParamKind {
                $crate::params::ParamKind::Text
            }
            fn from_value(value: &$crate::serde_json::Value) -> Option<Self> {
                match value.as_str() {
                    Some($word) => Some(Self::$other),
                    Some(number) => number.parse().ok().map(Self::$number),
                    None => value.as_f64().map(Self::$number),
                }
            }
            fn to_value(&self) -> $crate::serde_json::Value {
                match self {
                    Self::$number(number) => (*number).into(),
                    Self::$other => $word.into(),
                }
            }
        }
    };
}
