//! What each run's time was spent on, as stacked bars of one scale.

use std::fmt::Write as _;

use super::text::of_time;
use crate::record::Phases;
use crate::report::DrillReport;
use crate::store::Store;

const WIDTH: f64 = 640.0;
const LEFT: f64 = 100.0;
const RIGHT: f64 = 70.0;
const BAR: f64 = 18.0;
const ROW: f64 = 24.0;
const LEGEND: f64 = 24.0;
/// Room that a letter takes.
const LETTER: f64 = 6.5;

struct Row {
    run: u32,
    store: Store,
    phases: Phases,
}

/// All runs whose phases are known one after another; nothing when none is, or when there is but one phase.
pub(super) fn bars(drill: &DrillReport) -> String {
    let of_run = |run: &crate::record::RunReport| {
        let number = run.run;
        let known = run.stores.iter().filter_map(move |store| {
            Some(Row {
                run: number,
                store: store.store,
                phases: store.phases?,
            })
        });
        known.collect::<Vec<_>>()
    };
    let rows: Vec<Row> = drill.runs.iter().flat_map(of_run).collect();
    let several = |row: &Row| row.phases.named().iter().filter(|(_, took)| took.is_some()).count() > 1;
    if !rows.iter().any(several) {
        return String::new();
    }
    let longest = rows.iter().map(|row| total(&row.phases)).max().unwrap_or(0).max(1);
    let scale = (WIDTH - LEFT - RIGHT) / to_f64(longest);
    let height = LEGEND + ROW * to_f64(u64::try_from(rows.len()).unwrap_or(0));
    let first = rows.first().map_or(0, |row| row.run);
    let id = format!("phases{first}");
    let mut svg = format!(
        "<figure>\n<svg class=\"phases\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
         <title id=\"{id}-t\">What the time was spent on</title>\n\
         <desc id=\"{id}-d\">From the fault to the last client's acknowledgement: detection, election, promotion and rerouting of \
         each run, as in the table above.</desc>\n"
    );
    svg.push_str(&legend());
    for (number, row) in (0_u64..).zip(&rows) {
        svg.push_str(&bar(row, LEGEND + ROW * to_f64(number), scale));
    }
    svg.push_str("</svg>\n<figcaption>What the time was spent on, by the stores' own logs</figcaption>\n</figure>\n");
    svg
}

fn legend() -> String {
    let mut svg = String::new();
    let mut x = LEFT;
    for (number, (name, _)) in Phases::default().named().iter().enumerate() {
        let _ = writeln!(
            svg,
            "<rect class=\"phase{number}\" x=\"{x:.1}\" y=\"4\" width=\"12\" height=\"12\"/>\n<text x=\"{:.1}\" y=\"14\">{name}</text>",
            x + 17.0
        );
        x += 120.0;
    }
    svg
}

fn bar(row: &Row, y: f64, scale: f64) -> String {
    let (run, store) = (row.run, row.store);
    let middle = y + BAR - 5.0;
    let mut svg = format!(
        "<text class=\"end\" x=\"{}\" y=\"{middle}\">{run} {store}</text>\n",
        LEFT - 6.0
    );
    let mut x = LEFT;
    for (number, (name, took)) in row.phases.named().iter().enumerate() {
        let Some(took) = took else { continue };
        let width = to_f64(*took) * scale;
        let time = of_time(Some(*took));
        let _ = writeln!(
            svg,
            "<g><title>{name} {time}</title><rect class=\"phase{number}\" x=\"{x:.1}\" y=\"{y}\" width=\"{width:.1}\" \
             height=\"{BAR}\"/>"
        );
        // What has no room is told by the table and when it is pointed at.
        let letters = u64::try_from(time.len()).unwrap_or(0);
        if width > LETTER * to_f64(letters) + 8.0 {
            let _ = writeln!(
                svg,
                "<text class=\"inside\" x=\"{:.1}\" y=\"{middle}\">{time}</text>",
                x + 4.0
            );
        }
        svg.push_str("</g>\n");
        x += width;
    }
    let whole = of_time(Some(total(&row.phases)));
    let _ = writeln!(svg, "<text x=\"{:.1}\" y=\"{middle}\">{whole}</text>", x + 6.0);
    svg
}

fn total(phases: &Phases) -> u64 {
    phases.named().iter().filter_map(|(_, took)| *took).sum()
}

#[expect(clippy::cast_precision_loss, reason = "a place in a drawing")]
fn to_f64(count: u64) -> f64 {
    count as f64
}
