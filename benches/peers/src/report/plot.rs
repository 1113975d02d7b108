//! Latency against rules, both axes logarithmic, readable on light and on dark ground.

use anyhow::Result;
use plotters::prelude::*;

use super::Figures;
use crate::child::{ENTRANTS, Role};

const SIZE: (u32, u32) = (860, 520);

/// Colours that differ for most kinds of eyes and show on either ground; a system keeps its own.
const COLOURS: [RGBColor; 12] = [
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x80, 0x80, 0x80),
    RGBColor(0x96, 0x96, 0x96),
    RGBColor(0xB0, 0xB0, 0xB0),
    RGBColor(0x00, 0x8A, 0x6A),
    RGBColor(0x2A, 0x7F, 0xC8),
    RGBColor(0x56, 0xA6, 0xE0),
    RGBColor(0x7A, 0x5C, 0xC8),
    RGBColor(0xA4, 0x82, 0xE0),
    RGBColor(0xB8, 0x8A, 0x00),
    RGBColor(0xD9, 0xA4, 0x20),
    RGBColor(0xCC, 0x66, 0x99),
];

/// Text as the reader's system prefers it.
const STYLE: &str =
    "<style>text{fill:#24292f}@media(prefers-color-scheme:dark){text{fill:#d0d7de}}</style>";

struct Series {
    title: &'static str,
    colour: RGBColor,
    width: u32,
    points: Vec<(f64, f64)>,
}

/// The drawing, as the text of an SVG file.
pub(super) fn latency(figures: &Figures) -> Result<String> {
    let series = series(figures);
    let mut drawn = String::new();
    draw(figures, &series, &mut drawn)?;
    // A style sheet beats the colours that elements carry as attributes.
    Ok(drawn.replacen('>', &format!(">\n{STYLE}"), 1))
}

fn series(figures: &Figures) -> Vec<Series> {
    // Another form of ours would lie on ours.
    let drawn = ENTRANTS.iter().filter(|entrant| entrant.role != Role::Form);
    let all = drawn.zip(COLOURS).map(|(entrant, colour)| {
        let points = figures.rules.iter().filter_map(|&rules| {
            let measured = figures.measured(entrant.name, rules)?;
            // Less than the clock can tell is drawn as the least it can.
            Some((rules as f64, measured.median_ns.max(1) as f64 / 1e3))
        });
        Series {
            title: entrant.title,
            colour,
            width: if entrant.role == Role::Ours { 4 } else { 2 },
            points: points.collect(),
        }
    });
    all.filter(|series| !series.points.is_empty()).collect()
}

fn draw(figures: &Figures, series: &[Series], drawn: &mut String) -> Result<()> {
    let values = || {
        series
            .iter()
            .flat_map(|series| series.points.iter().map(|(_, value)| *value))
    };
    let least = values().fold(f64::INFINITY, f64::min);
    let most = values().fold(0.0, f64::max);
    // Whole decades.
    let bottom = 10_f64.powf(least.log10().floor());
    let top = 10_f64.powf(most.log10().ceil());
    let first = figures.rules.iter().min().copied().unwrap_or(1) as f64;
    let last = figures.rules.iter().max().copied().unwrap_or(10) as f64;

    let grey = RGBColor(0x80, 0x80, 0x80);
    let root = SVGBackend::with_string(drawn, SIZE).into_drawing_area();
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .margin_right(190)
        .x_label_area_size(44)
        .y_label_area_size(70)
        .build_cartesian_2d((first..last).log_scale(), (bottom..top).log_scale())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(grey.mix(0.25))
        .axis_style(grey)
        .label_style(("sans-serif", 13))
        .axis_desc_style(("sans-serif", 14))
        .x_desc("rules")
        .y_desc("median latency")
        .x_label_formatter(&|rules| whole(*rules))
        .y_label_formatter(&|microseconds| time(*microseconds))
        .draw()?;
    let mut labels = Vec::new();
    for one in series {
        let style = one.colour.stroke_width(one.width);
        chart.draw_series(LineSeries::new(one.points.iter().copied(), style))?;
        let dots = one
            .points
            .iter()
            .map(|point| Circle::new(*point, one.width + 1, one.colour.filled()));
        chart.draw_series(dots)?;
        if let Some(end) = one.points.last() {
            let (_, y) = chart.backend_coord(end);
            labels.push((y, one));
        }
    }
    let (right, _) = chart.backend_coord(&(last, bottom));
    // Each label stands at the end of its line, or below where another stands already.
    labels.sort_by_key(|(y, _)| *y);
    let mut free = 0;
    for (y, one) in labels {
        let y = (y - 7).max(free);
        free = y + 17;
        root.draw(&Rectangle::new(
            [(right + 14, y + 4), (right + 24, y + 11)],
            one.colour.filled(),
        ))?;
        root.draw(&Text::new(one.title, (right + 30, y), ("sans-serif", 13)))?;
    }
    root.present()?;
    drop(chart);
    Ok(())
}

fn whole(number: f64) -> String {
    match number {
        _ if number >= 1e3 => format!("{:.0} 000", number / 1e3),
        _ => format!("{number:.0}"),
    }
}

fn time(microseconds: f64) -> String {
    match microseconds {
        _ if microseconds < 0.999 => format!("{:.0} ns", microseconds * 1e3),
        _ if microseconds < 999.0 => format!("{microseconds:.0} µs"),
        _ if microseconds < 999e3 => format!("{:.0} ms", microseconds / 1e3),
        _ => format!("{:.0} s", microseconds / 1e6),
    }
}
