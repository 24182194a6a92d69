//! Where each name is here, and which test holds it, as it is written down.

use std::collections::BTreeMap;

/// One paragraph per name; its head says how it is written.
const PLACES: &str = include_str!("places.txt");

/// The name under which parameters of all queries stand.
const QUERIES: &str = "*";

/// Where a name is.
#[derive(Debug, Default)]
pub struct Place {
    /// The item, or why there is none.
    pub rust: &'static str,
    /// What to type, or why there is nothing.
    pub command: &'static str,
    pub test: &'static str,
    /// The struct that declares its arguments, if any.
    pub declared: &'static str,
    parameters: BTreeMap<&'static str, Found>,
}

/// Where a parameter is.
#[derive(Clone, Copy, Debug)]
pub enum Found {
    /// Declared, with a test of its own.
    Tested(&'static str),
    /// Somewhere else.
    At { rust: &'static str, command: &'static str, test: &'static str },
    /// Nowhere, and why.
    Never(&'static str),
}

/// All places by name.
pub struct Places(BTreeMap<&'static str, Place>);

impl Places {
    pub fn new() -> Self {
        let mut places = BTreeMap::new();
        let mut last = "";
        let lines = PLACES.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        for line in lines {
            let cells: Vec<&str> = line.trim().split(" | ").collect();
            if line.starts_with("  ") {
                let place: &mut Place = places.get_mut(last).unwrap();
                assert!(
                    place.parameters.insert(cells[0], Found::of(&cells[1..])).is_none(),
                    "{line}"
                );
                continue;
            }
            last = cells[0];
            let cell = |i: usize| cells.get(i).copied().unwrap_or_default();
            let (rust, command, test) = (cell(1), cell(2), cell(3));
            let place = Place { rust, command, test, declared: cell(4), ..Place::default() };
            assert!(places.insert(last, place).is_none(), "{last} is there twice");
        }
        Self(places)
    }

    pub fn get(&self, name: &str) -> Option<&Place> {
        self.0.get(name)
    }

    /// What is written about a parameter: with its name, or with all queries.
    pub fn parameter(&self, name: &str, parameter: &str) -> Option<Found> {
        let place = self.get(name)?;
        let own = place.parameters.get(parameter);
        let is_query = place.command.starts_with("scvi query ") && !name.contains('.');
        own.or_else(|| self.get(QUERIES)?.parameters.get(parameter).filter(|_| is_query)).copied()
    }

    /// Every name and parameter about which something is written.
    pub fn all(&self) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
        let named = self.0.iter().filter(|(name, _)| **name != QUERIES);
        named.map(|(name, place)| (*name, place.parameters.keys().copied().collect()))
    }
}

impl Found {
    fn of(cells: &[&'static str]) -> Self {
        match *cells {
            [one] => match one.strip_prefix("- ") {
                Some(reason) => Self::Never(reason),
                None => Self::Tested(one),
            },
            [rust, command, test] => Self::At { rust, command, test },
            _ => panic!("a parameter has one cell or three: {cells:?}"),
        }
    }
}
