//! Line plots as inline SVG: pure, from numbers to text.

use std::fmt::Write;

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 15.0;
const TOP: f64 = 15.0;
const BOTTOM: f64 = 45.0;

/// One line of a plot.
pub(crate) struct Line<'a> {
    pub(crate) name: &'a str,
    pub(crate) color: &'a str,
    pub(crate) points: Vec<(f64, f64)>,
}

/// An axis: its title and its marks (place, label).
pub(crate) struct Axis<'a> {
    pub(crate) title: &'a str,
    pub(crate) marks: Vec<(f64, String)>,
}

/// Draws lines over a horizontal axis whose marks are given; the vertical one starts at 0.
pub(crate) fn plot(x: &Axis<'_>, y_title: &str, lines: &[Line<'_>]) -> String {
    let all = || lines.iter().flat_map(|line| &line.points);
    let places = all().map(|point| point.0).chain(x.marks.iter().map(|mark| mark.0));
    let (x_min, x_max) =
        places.fold((f64::MAX, f64::MIN), |(low, high), place| (low.min(place), high.max(place)));
    let step = nice_step(all().map(|point| point.1).fold(0.0, f64::max));
    let steps = (all().map(|point| point.1).fold(0.0, f64::max) / step).ceil().max(1.0);
    let top = step * steps;
    let across =
        |place: f64| LEFT + (place - x_min) / (x_max - x_min).max(1e-9) * (WIDTH - LEFT - RIGHT);
    let up = |value: f64| HEIGHT - BOTTOM - value / top * (HEIGHT - TOP - BOTTOM);
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
    // Writing to a String cannot fail.
    for at in 0..=steps as u32 {
        let (value, y) = (f64::from(at) * step, up(f64::from(at) * step));
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text text-anchor=\"end\" x=\"{}\" y=\"{:.1}\">{value}</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            y + 4.0
        );
    }
    for (place, label) in &x.marks {
        let (at, bottom) = (across(*place), HEIGHT - BOTTOM);
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{TOP}\" y2=\"{bottom}\"/>\
             <text text-anchor=\"middle\" x=\"{at:.1}\" y=\"{}\">{}</text>",
            bottom + 16.0,
            escape(label)
        );
    }
    for line in lines {
        let points: Vec<String> =
            line.points.iter().map(|(x, y)| format!("{:.1},{:.1}", across(*x), up(*y))).collect();
        let (color, points) = (line.color, points.join(" "));
        let _ = write!(out, "<polyline stroke=\"{color}\" points=\"{points}\"/>");
    }
    let _ = write!(
        out,
        "<text text-anchor=\"middle\" x=\"{}\" y=\"{}\">{}</text>\
         <text text-anchor=\"middle\" transform=\"translate(14 {}) rotate(-90)\">{}</text></svg>",
        (WIDTH + LEFT) / 2.0,
        HEIGHT - 8.0,
        escape(x.title),
        HEIGHT / 2.0,
        escape(y_title)
    );
    out.push_str("<p>");
    for line in lines {
        let _ = write!(out, "<b style=\"color:{}\">{}</b> ", line.color, escape(line.name));
    }
    out.push_str("</p>");
    out
}

/// Text as HTML shows it.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A step of 1, 2 or 5 times a power of ten that goes into `max` at most five times.
fn nice_step(max: f64) -> f64 {
    let rough = (max / 5.0).max(1e-3);
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|step| *step >= rough);
    step.unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (max, step) in [(10.0, 2.0), (9.9, 2.0), (26.0, 10.0), (5.0, 1.0), (0.3, 0.1)] {
            assert!((nice_step(max) - step).abs() < 1e-9, "{max}: {}", nice_step(max));
        }
        assert!(nice_step(0.0) > 0.0);
    }

    #[test]
    fn a_plot_stands_by_itself() {
        let axis = Axis { title: "a < b", marks: vec![(0.0, "0".into()), (2.0, "2".into())] };
        let line = Line { name: "p99", color: "red", points: vec![(0.0, 0.0), (2.0, 4.0)] };
        let svg = plot(&axis, "ms", &[line]);
        assert!(svg.contains("points=\"70.0,255.0 845.0,15.0\""), "{svg}");
        assert!(svg.contains("a &lt; b") && !svg.contains("http"));
        assert!(plot(&axis, "ms", &[]).contains("</svg>"));
    }
}
