//! Results as pictures: a bar for each operation that has a limit, as long as the
//! share of the limit that it uses.

use std::path::Path;

use plotters::prelude::*;

use crate::Result;
use crate::report::Outcome;

const ROW: i32 = 24;
const TOP: i32 = 46;
/// Where bars begin and how long one is that uses all of its limit.
const LEFT: i32 = 430;
const LIMIT: i32 = 180;
/// Longer bars are cut off there.
const LONGEST: f64 = 1.8;
const WIDTH: i32 = 1000;

const REACHED: RGBColor = RGBColor(70, 130, 180);
const MISSED: RGBColor = RGBColor(200, 90, 60);

/// Draws a suite's outcomes into an SVG of its name; nothing when none has a limit.
pub(crate) fn draw(folder: &Path, suite: &str, outcomes: &[&Outcome]) -> Result<()> {
    let bars = outcomes
        .iter()
        .filter_map(|o| Some((o.used()?, o.labels())));
    let bars: Vec<(f64, [String; 2])> = bars.collect();
    if bars.is_empty() {
        return Ok(());
    }
    let rows = i32::try_from(bars.len())?;
    let height = TOP + ROW * rows + 12;
    let size = (u32::try_from(WIDTH)?, u32::try_from(height)?);
    let path = folder.join(format!("{suite}.svg"));
    let area = SVGBackend::new(&path, size).into_drawing_area();
    area.fill(&WHITE)?;
    let font = ("sans-serif", 13).into_font();
    let text = |words: &str, at: (i32, i32)| Text::new(words.to_owned(), at, font.clone());
    let title = format!("{suite}: share of the limit that is used; less is better");
    area.draw(&text(&title, (12, 12)))?;
    area.draw(&text("limit", (LEFT + LIMIT - 12, 28)))?;
    let line = [(LEFT + LIMIT, TOP - 2), (LEFT + LIMIT, height - 8)];
    for (row, (used, [what, ratio])) in (0..).zip(&bars) {
        let y = TOP + ROW * row;
        let colour = if *used <= 1.0 { REACHED } else { MISSED };
        #[expect(clippy::cast_possible_truncation, reason = "at most LONGEST bars long")]
        let length = (used.clamp(0.0, LONGEST) * f64::from(LIMIT)).round() as i32;
        area.draw(&text(what, (12, y + 4)))?;
        area.draw(&Rectangle::new(
            [(LEFT, y + 3), (LEFT + length.max(1), y + ROW - 4)],
            colour.filled(),
        ))?;
        area.draw(&text(ratio, (LEFT + length.max(LIMIT) + 10, y + 4)))?;
    }
    area.draw(&PathElement::new(line, BLACK.stroke_width(1)))?;
    Ok(area.present()?)
}
