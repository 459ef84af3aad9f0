use chrono::Days;

use super::*;

fn bars(per: Per, first: &str, figures: &[(u64, u64)]) -> Bars {
    let first: chrono::NaiveDate = first.parse().unwrap();
    let after = |number: usize| first + Days::new(number as u64);
    Bars {
        per,
        bars: figures
            .iter()
            .enumerate()
            .map(|(number, &(created, completed))| Bar {
                first_day: after(number),
                created,
                completed,
            })
            .collect(),
        last_day: after(figures.len() - 1),
    }
}

fn week() -> Bars {
    let figures = [(4, 1), (0, 2), (12, 9), (3, 3), (7, 0), (0, 0), (1, 5)];
    bars(Per::Day, "2025-12-30", &figures)
}

struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Picture {
    fn of(bars: &Bars) -> Self {
        let bytes = draw_chart(bars).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(bytes))
            .read_info()
            .unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(info.color_type, png::ColorType::Rgb);
        Self {
            width: info.width,
            height: info.height,
            pixels,
        }
    }

    fn at(&self, x: usize, y: usize) -> RGBColor {
        let place = (y * self.width as usize + x) * 3;
        RGBColor(
            self.pixels[place],
            self.pixels[place + 1],
            self.pixels[place + 2],
        )
    }

    /// How many pixels of this colour there are in this part of the picture.
    fn count(&self, colour: RGBColor, y: std::ops::Range<usize>) -> usize {
        let columns = || 0..self.width as usize;
        y.flat_map(|y| columns().map(move |x| (x, y)))
            .filter(|&(x, y)| self.at(x, y) == colour)
            .count()
    }
}

/// Below the heading, above the dates.
const PLOT: std::ops::Range<usize> = TOP as usize..(HEIGHT - BOTTOM) as usize;
const DATE_LINE: std::ops::Range<usize> = (HEIGHT - BOTTOM) as usize + 4..HEIGHT as usize;

#[test]
fn a_chart_is_a_picture_of_its_size_with_a_background_of_its_own() {
    let picture = Picture::of(&week());
    assert_eq!((picture.width, picture.height), (1120, 560));
    for corner in [(0, 0), (1119, 0), (0, 559), (1119, 559)] {
        assert_eq!(picture.at(corner.0, corner.1), BACKGROUND);
    }
    // Title, figures at the lines, and dates.
    assert!(picture.count(INK, 0..64) > 500);
    assert!(picture.count(INK, PLOT) > 100);
    assert!(picture.count(INK, DATE_LINE) > 500);
    assert!(picture.count(AXIS, PLOT.start..HEIGHT as usize) > 900);
    assert!(picture.count(GRID, PLOT) > 1_000);
}

#[test]
fn the_area_of_the_bars_goes_with_the_figures() {
    let picture = Picture::of(&week());
    let (created, completed) = (picture.count(CREATED, PLOT), picture.count(COMPLETED, PLOT));
    // 27 and 20 tasks, by the same scale.
    let per_task = created / 27;
    assert!(per_task > 500, "{per_task} pixels");
    let difference = completed.abs_diff(per_task * 20);
    assert!(difference < created / 50, "{created} and {completed}");

    let only_created = Picture::of(&bars(Per::Day, "2026-01-05", &[(3, 0)]));
    assert!(only_created.count(CREATED, PLOT) > 10_000);
    assert_eq!(only_created.count(COMPLETED, PLOT), 0);
}

#[test]
fn the_same_figures_are_the_same_bytes_and_others_are_not() {
    let one = draw_chart(&week()).unwrap();
    assert_eq!(one, draw_chart(&week()).unwrap());
    let mut other = week();
    other.bars[0].created += 1;
    assert_ne!(one, draw_chart(&other).unwrap());
    assert!(one.len() < 100_000, "{} bytes", one.len());
}

#[test]
fn every_chart_can_be_drawn() {
    for figures in [
        vec![(0, 0)],
        vec![(1, 0)],
        vec![(u64::MAX / 128, 1)],
        vec![(100_000, 99_999); 60],
    ] {
        for per in [Per::Day, Per::Month] {
            let picture = Picture::of(&bars(per, "2025-12-30", &figures));
            // No bar reaches out of its field.
            assert_eq!(picture.count(CREATED, 122..PLOT.start), 0);
            assert_eq!(picture.count(COMPLETED, DATE_LINE), 0);
            assert!(
                picture.count(INK, DATE_LINE) > 50,
                "{per:?} {}",
                figures.len()
            );
        }
    }
}

#[test]
fn lines_are_drawn_at_round_numbers() {
    for (highest, step) in [
        (0, 1),
        (1, 1),
        (5, 1),
        (6, 2),
        (11, 5),
        (26, 10),
        (100, 20),
        (101, 50),
        (12_345, 5_000),
        (u64::MAX, 5_000_000_000_000_000_000),
    ] {
        assert_eq!(line_step(highest), step, "{highest}");
    }
}

#[test]
fn a_bar_is_dated_as_exactly_as_its_length_asks_for() {
    let of = |per| {
        let bars = bars(per, "2025-12-29", &[(1, 1), (1, 1), (1, 1), (1, 1)]);
        (date(per, &bars.bars[0]), period(&bars))
    };
    let words = |date: &str, period: &str| (date.to_owned(), period.to_owned());
    let days = words("29 Dec", "29 December 2025 – 1 January 2026");
    assert_eq!(of(Per::Day), days);
    assert_eq!(of(Per::Week), days);
    assert_eq!(
        of(Per::Month),
        words("Dec 2025", "December 2025 – January 2026")
    );
    assert_eq!(of(Per::Years(1)), words("2025", "2025 – 2026"));
    let one = bars(Per::Day, "2025-12-29", &[(1, 1)]);
    assert_eq!(period(&one), "29 December 2025");
}

#[test]
fn high_lines_have_short_figures() {
    for (number, highest, shown) in [
        (0, 0, "0"),
        (2_000, 8_000, "2000"),
        (0, 10_000, "0"),
        (5_000, 15_000, "5k"),
        (200_000, 1_000_000, "200k"),
        (0, 20_000_000, "0"),
        (5_000_000, 20_000_000, "5M"),
    ] {
        assert_eq!(short(number, highest), shown);
    }
}
