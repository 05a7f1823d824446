//! PURE. A run as a picture: four panels over one time axis, as SVG.

use plotters::prelude::*;

use super::fleet::{Run, Sample};

const WIDTH: u32 = 960;
const HEIGHT: u32 = 1100;
const FONT: &str = "sans-serif";

const BLUE_LINE: RGBColor = RGBColor(31, 97, 170);
const ORANGE_LINE: RGBColor = RGBColor(200, 90, 0);
const GREEN_LINE: RGBColor = RGBColor(20, 125, 70);

/// A line of a panel.
struct Curve {
    name: &'static str,
    color: RGBColor,
    value: fn(&Sample) -> f64,
}

struct Panel {
    title: &'static str,
    curves: &'static [Curve],
}

const PANELS: [Panel; 4] = [
    Panel {
        title: "Conversations",
        curves: &[
            Curve { name: "live", color: BLUE_LINE, value: |sample| sample.live },
            Curve { name: "slots of running tasks", color: GREEN_LINE, value: |sample| sample.slots },
            Curve {
                name: "learners who wait for a slot",
                color: ORANGE_LINE,
                value: |sample| sample.waiting,
            },
        ],
    },
    Panel {
        title: "Running tasks",
        curves: &[
            Curve { name: "ingress", color: BLUE_LINE, value: |sample| f64::from(sample.ingress_tasks) },
            Curve { name: "analysis", color: ORANGE_LINE, value: |sample| f64::from(sample.analysis_tasks) },
        ],
    },
    Panel {
        title: "Backlog of the analysis, and its delay",
        curves: &[
            Curve { name: "waiting messages", color: BLUE_LINE, value: |sample| sample.backlog },
            Curve { name: "delay, seconds", color: ORANGE_LINE, value: |sample| sample.delay_seconds },
        ],
    },
    Panel {
        title: "Cost of the tasks since the start, US dollars",
        curves: &[Curve { name: "ingress and workers", color: GREEN_LINE, value: |sample| sample.usd }],
    },
];

/// The run as an SVG document, the same for the same run.
///
/// # Errors
/// A panel cannot be drawn.
pub fn svg(run: &Run) -> anyhow::Result<String> {
    let mut document = String::new();
    {
        let root = SVGBackend::with_string(&mut document, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE)?;
        let root = root.titled(run.scenario.title(), (FONT, 22))?;
        let hours = f64::from(run.scenario.seconds()) / 3600.0;
        for (area, panel) in root.split_evenly((PANELS.len(), 1)).iter().zip(&PANELS) {
            let most = panel.curves.iter().map(|curve| run.most(curve.value)).fold(1.0, f64::max);
            let mut chart = ChartBuilder::on(area)
                .caption(panel.title, (FONT, 17))
                .margin(8)
                .margin_right(24)
                .x_label_area_size(30)
                .y_label_area_size(60)
                .build_cartesian_2d(0.0..hours, 0.0..most * 1.1)?;
            chart
                .configure_mesh()
                .light_line_style(TRANSPARENT)
                .x_labels(13)
                .y_labels(6)
                .x_label_formatter(&clock)
                .y_label_formatter(&|value| {
                    if most < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
                })
                .label_style((FONT, 13))
                .draw()?;
            for curve in panel.curves {
                let points =
                    run.samples.iter().map(|sample| (f64::from(sample.minute) / 60.0, (curve.value)(sample)));
                let line = chart.draw_series(LineSeries::new(points, curve.color.stroke_width(2)))?;
                let color = curve.color;
                line.label(curve.name)
                    .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(3)));
            }
            chart
                .configure_series_labels()
                .position(SeriesLabelPosition::UpperLeft)
                .background_style(WHITE.mix(0.85))
                .border_style(RGBColor(180, 180, 180))
                .label_font((FONT, 13))
                .draw()?;
        }
        root.present()?;
    }
    Ok(document)
}

/// Hours as a time of day.
fn clock(hours: &f64) -> String {
    let minutes = (hours * 60.0).round();
    format!("{:02.0}:{:02.0}", (minutes / 60.0).floor(), minutes % 60.0)
}
