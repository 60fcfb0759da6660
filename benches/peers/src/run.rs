//! Interleaved rounds, medians and quartiles.

use serde::Serialize;

/// How much is done.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub rounds: usize,
    pub quick: bool,
    /// Only contestants and cases whose names hold these words.
    pub contestant: Option<&'static str>,
    pub case: Option<&'static str>,
}

impl Plan {
    /// An amount of work, less of it when it must be quick.
    pub fn amount(self, full: usize, quick: usize) -> usize {
        if self.quick { quick } else { full }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    Higher,
    Lower,
}

/// What one contestant reached in one case.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    pub area: String,
    pub case: String,
    pub contestant: String,
    pub unit: String,
    pub better: Better,
    pub median: f64,
    pub lower_quartile: f64,
    pub upper_quartile: f64,
    pub rounds: usize,
}

#[derive(Debug, Default)]
pub struct Results(pub Vec<Row>);

/// One contestant of a case: each call measures once.
pub type Entry<'a> = (String, Box<dyn FnMut() -> f64 + 'a>);

pub fn entry<'a>(name: impl Into<String>, run: impl FnMut() -> f64 + 'a) -> Entry<'a> {
    (name.into(), Box::new(run))
}

impl Results {
    /// Measures the contestants in turn, round after round, each round beginning with another one.
    pub fn measure(
        &mut self,
        (area, case, unit, better): (&str, &str, &str, Better),
        plan: Plan,
        mut entries: Vec<Entry<'_>>,
    ) {
        let exact = entries
            .iter()
            .any(|(name, _run)| plan.contestant == Some(name));
        entries.retain(|(name, _run)| {
            plan.contestant.is_none_or(|words| {
                if exact {
                    name == words
                } else {
                    name.contains(words)
                }
            })
        });
        if entries.is_empty() || plan.case.is_some_and(|words| !case.contains(words)) {
            return;
        }
        let mut values = vec![Vec::new(); entries.len()];
        // One round is not counted: caches, pages and the processor's clock come to rest.
        for round in 0..=plan.rounds {
            for step in 0..entries.len() {
                let at = (step + round) % entries.len();
                let value = entries[at].1();
                if round > 0 {
                    values[at].push(value);
                }
            }
        }
        for ((name, _run), values) in entries.iter().zip(values) {
            self.push((area, case, unit, better), name, values);
        }
    }

    pub fn push(
        &mut self,
        (area, case, unit, better): (&str, &str, &str, Better),
        contestant: &str,
        mut values: Vec<f64>,
    ) {
        values.sort_by(f64::total_cmp);
        let row = Row {
            area: area.into(),
            case: case.into(),
            contestant: contestant.into(),
            unit: unit.into(),
            better,
            median: quantile(&values, 0.5),
            lower_quartile: quantile(&values, 0.25),
            upper_quartile: quantile(&values, 0.75),
            rounds: values.len(),
        };
        eprintln!(
            "{area:<12} {case:<34} {contestant:<34} {:>12} {unit}",
            figure(row.median)
        );
        self.0.push(row);
    }

    pub fn median(&self, area: &str, case: &str, contestant: &str) -> Option<f64> {
        let row = self
            .0
            .iter()
            .find(|row| row.area == area && row.case == case && row.contestant == contestant)?;
        Some(row.median)
    }
}

/// Interpolated between the two nearest of sorted values.
pub fn quantile(sorted: &[f64], at: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let place = at * last as f64;
    let (below, above) = (place.floor() as usize, place.ceil() as usize);
    let share = place - place.floor();
    sorted[below] * (1.0 - share) + sorted[above] * share
}

/// Three digits, for people.
pub fn figure(value: f64) -> String {
    match value.abs() {
        size if size >= 100_000.0 => format!("{:.0} k", value / 1_000.0),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}
