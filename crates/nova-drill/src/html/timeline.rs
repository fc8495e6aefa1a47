//! Acknowledged operations a second around the fault, as a chart.

use std::fmt::Write as _;

use super::text::{of_count, of_time};
use crate::record::StoreReport;
use crate::recovery_times::STEP_MS;

/// Of the drawing, in its own units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 150.0;
const LEFT: f64 = 44.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 22.0;
/// Marks on the axis of time, at most.
const MARKS: usize = 10;

/// One store's chart in one run.
pub(super) fn chart(run: u32, store: &StoreReport) -> String {
    let (steps, fault) = if store.steps.is_empty() {
        // An older ledger's report has seconds only.
        let step = usize::try_from(1000 / STEP_MS).unwrap_or(1);
        let fine = store
            .timeline
            .iter()
            .flat_map(|count| std::iter::repeat_n(count / 10, step));
        (fine.collect(), store.fault_second * step)
    } else {
        (store.steps.clone(), store.fault_step)
    };
    let most = steps.iter().copied().max().unwrap_or(0);
    let id = format!("run{run}-{}", store.store);
    let per_second = most * 1000 / STEP_MS;
    let mut svg = format!(
        "<figure>\n<svg class=\"timeline\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
         <title id=\"{id}-t\">Acknowledged operations a second: {store}, run {run}</title>\n\
         <desc id=\"{id}-d\">The longest time that a client went without an acknowledgement is {rto}. {acknowledged} were \
         acknowledged, {per_second} a second at most; {lost} lost.</desc>\n",
        store = store.store,
        rto = of_time(store.rto_ms),
        acknowledged = store.acknowledged,
        lost = of_count(store.lost),
    );
    svg.push_str(&drawn(&steps, fault, most));
    let _ = writeln!(
        svg,
        "</svg>\n<figcaption>{}: RTO {}, acknowledged operations a second, seconds from the fault</figcaption>\n</figure>",
        store.store,
        of_time(store.rto_ms)
    );
    svg
}

fn drawn(steps: &[u64], fault: usize, most: u64) -> String {
    let scale = Scale::of(steps.len(), most);
    let bottom = HEIGHT - BOTTOM;
    let mut svg = String::new();
    // Nothing acknowledged is drawn as nothing: the area touches its base line there.
    let mut path = format!("M{:.1} {bottom:.1}", scale.x(0));
    for (step, count) in steps.iter().enumerate() {
        let y = scale.y(*count);
        let _ = write!(path, "L{:.1} {y:.1}L{:.1} {y:.1}", scale.x(step), scale.x(step + 1));
    }
    let _ = write!(path, "L{:.1} {bottom:.1}Z", scale.x(steps.len()));
    let _ = writeln!(svg, "<path class=\"area\" d=\"{path}\"/>");
    let _ = writeln!(
        svg,
        "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{}\" y2=\"{bottom}\"/>",
        WIDTH - RIGHT
    );
    for (count, y) in [(most, scale.y(most)), (0, bottom)] {
        let label = count * 1000 / STEP_MS;
        let _ = writeln!(
            svg,
            "<text class=\"end\" x=\"{}\" y=\"{:.1}\">{label}</text>",
            LEFT - 5.0,
            y + 4.0
        );
    }
    let second = usize::try_from(1000 / STEP_MS).unwrap_or(1);
    let every = (steps.len() / second / MARKS + 1) * second;
    let before = fault / every;
    let marks = (0..=before).map(|number| (fault - number * every, "-", number));
    let after = (1..).map(|number| (fault + number * every, "", number));
    let inside = |(step, ..): &(usize, &str, usize)| *step <= steps.len();
    for (step, sign, number) in marks.chain(after.take_while(inside)) {
        let label = number * every / second;
        let sign = if label == 0 { "" } else { sign };
        let _ = writeln!(
            svg,
            "<text class=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{sign}{label}</text>",
            scale.x(step),
            HEIGHT - 6.0
        );
    }
    let x = scale.x(fault);
    let _ = writeln!(
        svg,
        "<line class=\"fault\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>"
    );
    let _ = writeln!(
        svg,
        "<text class=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">fault</text>",
        TOP - 5.0
    );
    svg
}

struct Scale {
    step: f64,
    unit: f64,
}

impl Scale {
    fn of(steps: usize, most: u64) -> Self {
        Self {
            step: (WIDTH - LEFT - RIGHT) / to_f64(steps.max(1)),
            unit: (HEIGHT - TOP - BOTTOM) / to_f64(usize::try_from(most.max(1)).unwrap_or(usize::MAX)),
        }
    }

    fn x(&self, step: usize) -> f64 {
        LEFT + self.step * to_f64(step)
    }

    fn y(&self, count: u64) -> f64 {
        HEIGHT - BOTTOM - self.unit * to_f64(usize::try_from(count).unwrap_or(usize::MAX))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a place in a drawing")]
fn to_f64(count: usize) -> f64 {
    count as f64
}
