//! The picture of the terminal in README.md, drawn from what the program writes to one.
//!
//! Owns: the scene, the form of the picture. With `HAUL_BLESS=1` the picture is drawn anew (`cargo xtask picture`).
//! Does not own: the files and the server ([`super::world`]).

use std::fmt::Write as _;
use std::fs;

use haul_testkit::{Gate, Haul};
use vt100::{Color, Parser};

use super::page::comparable;
use super::root;
use super::world::World;

const COLUMNS: u16 = 80;
const ROWS: u16 = 6;
/// Files of the list, of which so many have arrived when the picture is taken.
const FILES: usize = 40;
const ARRIVED: usize = 28;
/// The size of a character, in the units of the picture.
const WIDTH: f64 = 8.4;
const HEIGHT: usize = 20;

/// A piece of a line in one colour.
struct Span {
    column: u16,
    text: String,
    class: &'static str,
}

impl Span {
    /// The column behind it.
    fn end(&self) -> usize {
        usize::from(self.column) + self.text.chars().count()
    }
}

type Row = Vec<Span>;

#[test]
fn the_picture_shows_what_the_program_writes() {
    let gate = Gate::new();
    let world = World::with_archives(FILES, ARRIVED, &gate);
    let mut haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(world.home()).env("TERM", "xterm-256color");
    for (name, value) in world.variables() {
        haul = haul.env(name, value);
    }
    let mut rows = vec![typed("haul get -i archives.txt -d downloads")];
    let mut terminal = haul.on_terminal(COLUMNS, ROWS, ["get", "-i", "archives.txt", "-d", "downloads"]);
    let shown = terminal.wait_until(|text| text.contains(&format!("{ARRIVED} of {FILES}")));
    rows.extend(screen(&shown));
    gate.open();
    let (status, all) = terminal.finish();
    assert_eq!(status, 0, "{all}");
    rows.extend(screen(&all));
    haul.run(["keygen", "-o", "key.txt"]).expect_status(0);
    let recipient = haul.run(["keygen", "-y", "key.txt"]).expect_status(0).stdout_text().trim().to_owned();
    rows.push(typed("haul seal -r age1… -o sealed downloads"));
    let words = ["seal", "-r", &recipient, "-o", "sealed", "downloads"];
    rows.extend(screen(&haul.on_terminal(COLUMNS, ROWS, words).finish().1));
    rows.push(typed("haul seal -o again downloads/archive-01.tar"));
    let words = ["seal", "-o", "again", "downloads/archive-01.tar"];
    rows.extend(screen(&haul.on_terminal(COLUMNS, ROWS, words).finish().1));
    let path = root().join("docs/terminal.svg");
    let picture = draw(&rows);
    if std::env::var_os("HAUL_BLESS").is_some_and(|value| value == "1") {
        return fs::write(path, picture).unwrap();
    }
    let kept = fs::read_to_string(path).unwrap();
    assert_eq!(settled(&kept), settled(&picture), "cargo xtask picture draws it anew");
}

/// The lines of a picture that are the same in each run: all but the progress.
fn settled(picture: &str) -> Vec<String> {
    let lines = picture.lines().filter(|line| line.contains("<text") && !line.contains(" ["));
    lines.map(|line| comparable(text_of(line))).collect()
}

/// What a line of a picture shows.
fn text_of(line: &str) -> &str {
    line.split_once('>').and_then(|(_, text)| text.strip_suffix("</text>")).unwrap_or_default()
}

fn typed(command: &str) -> Row {
    let prompt = Span { column: 0, text: "$".to_owned(), class: "prompt" };
    vec![prompt, Span { column: 2, text: command.to_owned(), class: "typed" }]
}

/// The lines on a screen on which `text` was written.
fn screen(text: &str) -> Vec<Row> {
    let mut parser = Parser::new(ROWS, COLUMNS, 0);
    parser.process(text.as_bytes());
    let rows = (0..ROWS).map(|row| spans(parser.screen(), row));
    rows.filter(|row| !row.is_empty()).collect()
}

fn spans(screen: &vt100::Screen, row: u16) -> Row {
    let mut spans: Row = Vec::new();
    for column in 0..COLUMNS {
        let Some(cell) = screen.cell(row, column).filter(|cell| cell.has_contents()) else { continue };
        let class = match cell.fgcolor() {
            Color::Idx(1 | 9) => "error",
            Color::Idx(3 | 11) => "hint",
            _ => "text",
        };
        match spans.last_mut() {
            Some(span) if span.class == class && span.end() == usize::from(column) => {
                span.text.push_str(cell.contents());
            }
            // Some readers of pictures drop spaces at the ends.
            _ if cell.contents() == " " => {}
            _ => spans.push(Span { column, text: cell.contents().to_owned(), class }),
        }
    }
    spans
}

fn draw(rows: &[Row]) -> String {
    let (width, height) = (f64::from(COLUMNS) * WIDTH + 32.0, rows.len() * HEIGHT + 52);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" xml:space=\"preserve\">\n\
         <title>haul in a terminal</title>\n<style>\n\
         rect {{ fill: #1c2128; }} circle {{ fill: #444c56; }}\n\
         text {{ font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #cdd9e5; white-space: pre; }}\n\
         .prompt {{ fill: #57ab5a; }} .typed {{ fill: #ffffff; }} .error {{ fill: #f47067; }} .hint {{ fill: #daaa3f; }}\n\
         </style>\n<rect width=\"{width}\" height=\"{height}\" rx=\"8\"/>\n"
    );
    for x in [20, 38, 56] {
        let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"18\" r=\"5\"/>");
    }
    for (number, row) in rows.iter().enumerate() {
        let y = 52 + number * HEIGHT;
        for Span { column, text, class } in row {
            let x = 16.0 + f64::from(*column) * WIDTH;
            let text = text.trim_end();
            let length = text.chars().count() as f64 * WIDTH;
            let text = text.replace('&', "&amp;").replace('<', "&lt;");
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{y}\" textLength=\"{length:.1}\" class=\"{class}\">{text}</text>"
            );
        }
    }
    svg + "</svg>\n"
}
