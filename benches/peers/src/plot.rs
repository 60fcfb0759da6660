//! Plots as SVG, drawn by hand: bars for contestants, lines for growth.

use std::{fmt::Write, fs, io, path::Path};

use crate::run::{Results, Row, figure};

const WIDTH: f64 = 860.0;
const LABEL: f64 = 270.0;
const BAR: f64 = 20.0;

/// One plot of bars an area, one of lines for what grows.
pub fn all(results: &Results, directory: &Path) -> io::Result<()> {
    let mut areas: Vec<&str> = results.0.iter().map(|row| row.area.as_str()).collect();
    areas.dedup();
    for area in areas {
        let rows: Vec<&Row> = results.0.iter().filter(|row| row.area == area).collect();
        let name = area.replace(' ', "-");
        let svg = if area == "growth" {
            lines(&rows)
        } else {
            bars(area, &rows)
        };
        fs::write(directory.join(format!("{name}.svg")), svg)?;
    }
    Ok(())
}

fn colour(contestant: &str) -> &'static str {
    match contestant {
        name if name.contains("(limit)") => "#9aa0a6",
        name if name.contains("Duologue") => "#1a73e8",
        name if name.contains("rustls") => "#e8710a",
        name if name.contains("libp2p") => "#12a37f",
        name if name.contains("snow") => "#9334e6",
        _ => "#b06000",
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

fn open(height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height:.0}\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    )
}

fn text(svg: &mut String, (x, y): (f64, f64), anchor: &str, words: &str) {
    let words = escaped(words);
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>"
    );
}

fn bars(area: &str, rows: &[&Row]) -> String {
    let mut cases: Vec<&str> = rows.iter().map(|row| row.case.as_str()).collect();
    cases.dedup();
    let height = 40.0 + cases.len() as f64 * 44.0 + rows.len() as f64 * BAR;
    let mut svg = open(height);
    let _ = writeln!(
        svg,
        "<text x=\"12\" y=\"24\" font-size=\"16\" font-weight=\"bold\">{area}</text>"
    );
    let mut y = 40.0;
    for case in cases {
        let rows: Vec<_> = rows.iter().filter(|row| row.case == case).collect();
        let most = rows
            .iter()
            .map(|row| row.upper_quartile)
            .fold(f64::MIN_POSITIVE, f64::max);
        let scale = (WIDTH - LABEL - 90.0) / most;
        y += 18.0;
        let unit = rows.first().map_or("", |row| row.unit.as_str());
        let _ = writeln!(
            svg,
            "<text x=\"12\" y=\"{y:.1}\" font-weight=\"bold\">{} ({unit})</text>",
            escaped(case)
        );
        y += 8.0;
        for row in rows {
            let (middle, end) = (y + BAR / 2.0, LABEL + row.median * scale);
            text(
                &mut svg,
                (LABEL - 8.0, middle + 4.0),
                "end",
                &row.contestant,
            );
            let _ = writeln!(
                svg,
                "<rect x=\"{LABEL}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>\
                 <path d=\"M{:.1} {middle:.1}H{:.1}\" stroke=\"black\"/>",
                y + 2.0,
                (end - LABEL).max(0.5),
                BAR - 4.0,
                colour(&row.contestant),
                LABEL + row.lower_quartile * scale,
                LABEL + row.upper_quartile * scale,
            );
            let right = end.max(LABEL + row.upper_quartile * scale);
            text(
                &mut svg,
                (right + 6.0, middle + 4.0),
                "start",
                &figure(row.median),
            );
            y += BAR;
        }
        y += 18.0;
    }
    svg + "</svg>\n"
}

/// Cases are `what at number`: both axes are logarithmic.
fn lines(rows: &[&Row]) -> String {
    const PLOT: f64 = 220.0;
    let split = |row: &Row| -> Option<(String, f64)> {
        let (what, at) = row.case.rsplit_once(" at ")?;
        Some((what.to_owned(), at.parse().ok()?))
    };
    let mut whats: Vec<String> = rows.iter().filter_map(|row| Some(split(row)?.0)).collect();
    whats.dedup();
    let mut svg = open(40.0 + whats.len() as f64 * (PLOT + 70.0));
    let _ = writeln!(
        svg,
        "<text x=\"12\" y=\"24\" font-size=\"16\" font-weight=\"bold\">growth</text>"
    );
    let mut top = 60.0;
    for what in whats {
        let points: Vec<(&str, f64, f64, &str)> = rows
            .iter()
            .filter_map(|row| {
                let (own, at) = split(row)?;
                (own == what).then_some((
                    row.contestant.as_str(),
                    at.log10(),
                    row.median.log10(),
                    row.unit.as_str(),
                ))
            })
            .collect();
        let range = |values: Vec<f64>, least: f64| {
            let low = values.iter().copied().fold(f64::MAX, f64::min);
            let high = values.iter().copied().fold(f64::MIN, f64::max);
            let middle = (low + high) / 2.0;
            let half = ((high - low) / 2.0).max(least) * 1.05;
            (middle - half, middle + half)
        };
        let (left, right) = range(points.iter().map(|point| point.1).collect(), 0.1);
        // At least a decade, so that what is flat looks flat.
        let (low, high) = range(points.iter().map(|point| point.2).collect(), 0.5);
        let place = |x: f64, y: f64| {
            let across = (x - left) / (right - left) * (WIDTH - LABEL - 60.0);
            (80.0 + across, top + PLOT - (y - low) / (high - low) * PLOT)
        };
        let unit = points.first().map_or("", |point| point.3);
        let _ = writeln!(
            svg,
            "<text x=\"12\" y=\"{:.1}\" font-weight=\"bold\">{} ({unit})</text>",
            top - 12.0,
            escaped(&what)
        );
        let _ = writeln!(
            svg,
            "<rect x=\"80\" y=\"{top}\" width=\"{}\" height=\"{PLOT}\" fill=\"none\" stroke=\"#ccc\"/>",
            WIDTH - LABEL - 60.0
        );
        let mut names: Vec<&str> = points.iter().map(|point| point.0).collect();
        names.sort_unstable();
        names.dedup();
        for (at, name) in names.iter().enumerate() {
            let dash = ["none", "6 3", "2 3", "8 3 2 3"][at % 4];
            let own: Vec<_> = points.iter().filter(|point| point.0 == *name).collect();
            let path: Vec<_> = own
                .iter()
                .map(|point| {
                    let (x, y) = place(point.1, point.2);
                    format!("{x:.1} {y:.1}")
                })
                .collect();
            let stroke = colour(name);
            let _ = writeln!(
                svg,
                "<path d=\"M{}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>",
                path.join("L")
            );
            for point in own {
                let (x, y) = place(point.1, point.2);
                let _ = writeln!(
                    svg,
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{stroke}\"/>"
                );
                text(
                    &mut svg,
                    (x, y - 7.0),
                    "middle",
                    &figure(10_f64.powf(point.2)),
                );
                text(
                    &mut svg,
                    (x, top + PLOT + 16.0),
                    "middle",
                    &figure(10_f64.powf(point.1)),
                );
            }
            let y = top + 14.0 + at as f64 * 18.0;
            let _ = writeln!(
                svg,
                "<path d=\"M{:.1} {:.1}h28\" stroke=\"{stroke}\" stroke-width=\"2\" stroke-dasharray=\"{dash}\"/>",
                WIDTH - LABEL + 30.0,
                y - 4.0
            );
            text(&mut svg, (WIDTH - LABEL + 64.0, y), "start", name);
        }
        top += PLOT + 70.0;
    }
    svg + "</svg>\n"
}
