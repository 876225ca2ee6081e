//! How a number is taken: in rounds that alternate between the sides, as the
//! median of each side's rounds.

use std::time::Instant;

use crate::Result;

/// One side of a comparison: runs one round and returns its result.
pub(crate) type Side<'s> = &'s mut dyn FnMut() -> Result<f64>;

/// Rounds of all sides in turn, each round beginning with another side; the
/// first round only warms up. Returns the median of each side.
pub(crate) fn alternate(rounds: usize, sides: &mut [Side<'_>]) -> Result<Vec<f64>> {
    let mut results = vec![Vec::with_capacity(rounds); sides.len()];
    for round in 0..=rounds {
        for turn in 0..sides.len() {
            let at = (round + turn) % sides.len();
            let result = sides[at]()?;
            if round > 0 {
                results[at].push(result);
            }
        }
    }
    Ok(results.iter_mut().map(|r| median(r)).collect())
}

/// The middle of some numbers.
pub(crate) fn median(results: &mut [f64]) -> f64 {
    results.sort_by(f64::total_cmp);
    let middle = results.len() / 2;
    if results.len().is_multiple_of(2) {
        (results[middle - 1] + results[middle]) / 2.0
    } else {
        results[middle]
    }
}

/// Microseconds for each of `items`.
pub(crate) fn each<T>(items: &[T], mut run: impl FnMut(&T) -> Result<()>) -> Result<f64> {
    let started = Instant::now();
    for item in items {
        run(item)?;
    }
    Ok(micros(started, items.len()))
}

/// Microseconds since `started`, divided among `count`.
pub(crate) fn micros(started: Instant, count: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    let count = count as f64;
    started.elapsed().as_secs_f64() * 1e6 / count
}
