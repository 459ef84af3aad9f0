//! Draws what happened to tasks as a picture for mails. Called by `worker`, away from
//! the threads that wait for the network: drawing is work.
//!
//! The same figures give the same bytes, wherever they are drawn: no font, setting or
//! library of the system has a part in it. Mail programs in dark mode recolour
//! text, but no pictures, so the picture brings its own background along. It is
//! made to be shown at half its size, and its letters are large enough for that.

use std::sync::LazyLock;

use plotters::backend::{BitMapBackend, DrawingBackend};
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea};
use plotters::element::{PathElement, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, TextStyle, register_font};

use super::report::{Bar, Bars, Per};
use crate::error::{Error, Result};

const WIDTH: u32 = 1120;
const HEIGHT: u32 = 560;

const BACKGROUND: RGBColor = RGBColor(255, 255, 255);
const INK: RGBColor = RGBColor(38, 43, 51);
const AXIS: RGBColor = RGBColor(112, 118, 128);
const GRID: RGBColor = RGBColor(221, 224, 229);
// Blue and orange are told apart by nearly everyone, and by their lightness.
const CREATED: RGBColor = RGBColor(26, 86, 196);
const COMPLETED: RGBColor = RGBColor(224, 138, 0);

const FONT: &str = "DejaVu Sans";
const TITLE_SIZE: u32 = 40;
const LABEL_SIZE: u32 = 34;
/// How much lower the middle of a label is than it is taken to be.
const LOWER: i32 = 6;

/// From the left edge to the axis, and from the right one to the end of the bars.
const LEFT: u32 = 116;
const RIGHT: u32 = 32;
/// From the upper edge to the highest line, and from the lower one to the axis.
const TOP: u32 = 152;
const BOTTOM: u32 = 76;

/// As many lines as can be told apart.
const LINES: u64 = 5;

/// What there is room for, so that a bar that stands alone is no wall.
const STEPS_MIN: usize = 5;

/// The part of its step that the two bars of a step fill together.
const FILLED: f64 = 0.76;

/// Whether the font could be read. It is a part of the program, so it always can.
static FONT_READ: LazyLock<bool> = LazyLock::new(|| {
    let font = include_bytes!("fonts/dejavu-sans.ttf");
    register_font(FONT, FontStyle::Normal, font).is_ok()
});

type Canvas<'a> = DrawingArea<BitMapBackend<'a>, Shift>;
type DrawingError = DrawingAreaErrorKind<<BitMapBackend<'static> as DrawingBackend>::ErrorType>;

/// The picture as a PNG.
pub fn draw_chart(bars: &Bars) -> Result<Vec<u8>> {
    if !*FONT_READ {
        return Err(Error::internal("the font of charts cannot be read"));
    }
    let mut pixels = vec![0; WIDTH as usize * HEIGHT as usize * 3];
    paint(bars, &mut pixels).map_err(|error| Error::internal(error.to_string()))?;
    encode(&pixels).map_err(Error::internal)
}

fn encode(pixels: &[u8]) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, WIDTH, HEIGHT);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels)?;
    writer.finish()?;
    Ok(bytes)
}

fn paint(bars: &Bars, pixels: &mut [u8]) -> Result<(), DrawingError> {
    let canvas = BitMapBackend::with_buffer(pixels, (WIDTH, HEIGHT)).into_drawing_area();
    canvas.fill(&BACKGROUND)?;
    write_heading(&canvas, bars)?;

    let step = line_step(highest(bars));
    let top = step * highest(bars).div_ceil(step).max(1);
    let steps = bars.bars.len().max(STEPS_MIN);
    let first = to_float((steps - bars.bars.len()) as u64) / 2.0;
    let steps = to_float(steps as u64);
    let chart = ChartBuilder::on(&canvas)
        .margin_left(LEFT)
        .margin_right(RIGHT)
        .margin_top(TOP)
        .margin_bottom(BOTTOM)
        .build_cartesian_2d(0.0..steps, 0.0..to_float(top))?;
    let area = chart.plotting_area();
    for line in 0..=top / step {
        let height = line * step;
        let colour = if height == 0 { AXIS } else { GRID };
        let ends = vec![(0.0, to_float(height)), (steps, to_float(height))];
        area.draw(&PathElement::new(ends, colour.stroke_width(2)))?;
        let (x, y) = chart.backend_coord(&(0.0, to_float(height)));
        let style = label(HPos::Right, VPos::Center);
        canvas.draw(&Text::new(short(height, top), (x - 14, y + LOWER), style))?;
    }
    let every = bars.bars.len().div_ceil(dates_max(bars.per));
    for (number, bar) in bars.bars.iter().enumerate() {
        let left = first + to_float(number as u64);
        let (begin, middle) = (left + (1.0 - FILLED) / 2.0, left + 0.5);
        for (from, count, colour) in [
            (begin, bar.created, CREATED),
            (middle, bar.completed, COMPLETED),
        ] {
            if count > 0 {
                let corners = [(from, 0.0), (from + FILLED / 2.0, to_float(count))];
                area.draw(&Rectangle::new(corners, colour.filled()))?;
            }
        }
        if number % every == 0 {
            let (x, y) = chart.backend_coord(&(middle, 0.0));
            let style = label(HPos::Center, VPos::Top);
            canvas.draw(&Text::new(date(bars.per, bar), (x, y + 14), style))?;
        }
    }
    canvas.present()
}

fn write_heading(canvas: &Canvas<'_>, bars: &Bars) -> Result<(), DrawingError> {
    let left = 32;
    let title = format!("Tasks per {}, {}", bars.per.name(), period(bars));
    let style = TextStyle::from((FONT, TITLE_SIZE).into_font()).color(&INK);
    canvas.draw(&Text::new(title, (left, 30), style))?;
    for (text, x, colour) in [
        (format!("Created: {}", bars.created()), left, CREATED),
        (
            format!("Completed: {}", bars.completed()),
            left + 360,
            COMPLETED,
        ),
    ] {
        canvas.draw(&Rectangle::new([(x, 90), (x + 28, 118)], colour.filled()))?;
        let style = label(HPos::Left, VPos::Center);
        canvas.draw(&Text::new(text, (x + 42, 104 + LOWER), style))?;
    }
    Ok(())
}

fn label(h_pos: HPos, v_pos: VPos) -> TextStyle<'static> {
    TextStyle::from((FONT, LABEL_SIZE).into_font())
        .color(&INK)
        .pos(Pos::new(h_pos, v_pos))
}

fn highest(bars: &Bars) -> u64 {
    let highest = |bar: &Bar| bar.created.max(bar.completed);
    bars.bars.iter().map(highest).max().unwrap_or(0)
}

/// The round number by which lines go up to at least this height.
fn line_step(highest: u64) -> u64 {
    let mut ten: u64 = 1;
    loop {
        for digit in [1, 2, 5] {
            let step = ten.saturating_mul(digit);
            if step.saturating_mul(LINES) >= highest {
                return step;
            }
        }
        ten = ten.saturating_mul(10);
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "places on a picture of a thousand pixels"
)]
fn to_float(number: u64) -> f64 {
    number as f64
}

/// How many dates there is room for.
fn dates_max(per: Per) -> usize {
    match per {
        Per::Day | Per::Week | Per::Years(_) => 8,
        Per::Month => 6,
    }
}

/// With few digits, whatever the highest line is at.
fn short(number: u64, highest: u64) -> String {
    match highest {
        0..10_000 => number.to_string(),
        10_000..10_000_000 if number > 0 => format!("{}k", number / 1_000),
        _ if number > 0 => format!("{}M", number / 1_000_000),
        _ => "0".to_owned(),
    }
}

/// Short, since many stand side by side; the year is in the title.
fn date(per: Per, bar: &Bar) -> String {
    let format = match per {
        Per::Day | Per::Week => "%-d %b",
        Per::Month => "%b %Y",
        Per::Years(_) => "%Y",
    };
    bar.first_day.format(format).to_string()
}

fn period(bars: &Bars) -> String {
    let format = match bars.per {
        Per::Day | Per::Week => "%-d %B %Y",
        Per::Month => "%B %Y",
        Per::Years(_) => "%Y",
    };
    let (first, last) = (
        bars.first_day().format(format).to_string(),
        bars.last_day.format(format).to_string(),
    );
    if first == last {
        first
    } else {
        format!("{first} \u{2013} {last}")
    }
}

#[cfg(test)]
mod tests;
