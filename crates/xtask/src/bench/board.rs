//! The tables of the scoreboard in BENCHMARKS.md.
//!
//! One table for each contest: a row for each command, a column for each file system, then the ratios that count. A
//! contest that is lost somewhere keeps its row and names the reason.
//!
//! Owns: the form of the tables, the lines of BENCHMARKS.md that they replace.
//! Does not own: figures ([`super::contest`]), the prose around them.

use std::fmt::Write;

use super::contest::{Entry, Role, Standing};

/// The lines around the tables. What lies between them belongs to the chore.
const BEGIN: &str = "<!-- cargo xtask scoreboard writes from here -->";
const END: &str = "<!-- to here -->";
/// The longest line of prose.
const WIDTH: usize = 118;

/// The outcomes of one contest, each with the name of its file system.
pub(super) struct Board<'a> {
    columns: Vec<(&'a str, &'a Standing)>,
}

/// Groups outcomes by contest, in the order in which contests first occur.
pub(super) fn boards<'a>(outcomes: &'a [(&'a str, Standing)]) -> Vec<Board<'a>> {
    let mut boards: Vec<Board<'a>> = Vec::new();
    for (system, standing) in outcomes {
        match boards.iter_mut().find(|board| board.columns[0].1.name == standing.name) {
            Some(board) => board.columns.push((system, standing)),
            None => boards.push(Board { columns: vec![(system, standing)] }),
        }
    }
    boards
}

impl Board<'_> {
    pub(super) fn to_markdown(&self) -> String {
        let first = self.columns[0].1;
        let systems: Vec<_> = self.columns.iter().map(|(system, _)| *system).collect();
        let mut text = format!("### {}\n\n| command | {} |\n", capital(&first.name), systems.join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(systems.len()));
        for (role, name) in self.commands() {
            let cell = |standing: &Standing| standing.entry(name).map_or("–".to_owned(), figures);
            self.row(&mut text, &format!("{}{}", shown(name), about(role)), cell);
        }
        if self.commands().iter().any(|(role, _)| *role == Role::Peer) {
            self.row(&mut text, "haul to the best peer", |standing| {
                ratio(standing.haul(), standing.best_peer())
                    .map_or("–".to_owned(), |ratio| format!("**{ratio:.2}**"))
            });
        }
        if let Some(base) = first.entries.first().filter(|_| first.aim.target.is_some()) {
            self.row(&mut text, &format!("haul to {} (target)", shown(&base.name)), |standing| {
                let Some(ratio) = ratio(standing.haul(), standing.entries.first()) else {
                    return "–".to_owned();
                };
                format!("**{ratio:.2}** ({})", standing.aim.target.unwrap_or(f64::NAN))
            });
        }
        text.push('\n');
        text.push_str(&self.about_losses());
        text
    }

    /// The commands of all columns.
    fn commands(&self) -> Vec<(Role, &str)> {
        let mut commands: Vec<(Role, &str)> = Vec::new();
        for entry in self.columns.iter().flat_map(|(_, standing)| &standing.entries) {
            if !commands.iter().any(|(_, name)| *name == entry.name) {
                commands.push((entry.role, &entry.name));
            }
        }
        commands
    }

    fn row(&self, text: &mut String, head: &str, cell: impl Fn(&Standing) -> String) {
        let cells: Vec<_> = self.columns.iter().map(|(_, standing)| cell(standing)).collect();
        let _ = writeln!(text, "| {head} | {} |", cells.join(" | "));
    }

    /// Where haul is slower than a peer or misses its target, and why.
    fn about_losses(&self) -> String {
        let lost: Vec<_> = self.columns.iter().filter(|(_, standing)| standing.is_lost()).collect();
        let Some((_, first)) = lost.first() else { return String::new() };
        let systems: Vec<_> = lost.iter().map(|(system, _)| *system).collect();
        let reason =
            if first.aim.reason.is_empty() { "The reason isn't known yet." } else { first.aim.reason };
        wrapped(&format!(
            "Lost on {}: a peer is faster, or the target is missed. {reason}",
            systems.join(", ")
        )) + "\n"
    }
}

impl Standing {
    fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

fn ratio(haul: Option<&Entry>, other: Option<&Entry>) -> Option<f64> {
    Some(haul?.wall[0] / other?.wall[0])
}

/// Wall time in seconds with its extremes, and processor time.
fn figures(entry: &Entry) -> String {
    let [wall, from, to] = entry.wall.map(|millis| millis / 1e3);
    let decimals = if wall < 0.1 { 3 } else { 2 };
    let cpu = entry.processor / 1e3;
    format!("{wall:.decimals$} ({from:.decimals$}–{to:.decimals$}) {cpu:.decimals$}")
}

fn shown(name: &str) -> String {
    // A table ends a cell at a bar, even in code.
    format!("`{}`", name.replace('|', "\\|"))
}

fn about(role: Role) -> &'static str {
    if role == Role::Reference { " \\*" } else { "" }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// `text` in lines.
pub(super) fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut columns = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if columns > 0 && columns + 1 + length > WIDTH {
            out.push('\n');
            columns = 0;
        } else if columns > 0 {
            out.push(' ');
            columns += 1;
        }
        out.push_str(word);
        columns += length;
    }
    out.push('\n');
    out
}

/// `document` with `tables` in their place. Tables of other contests stay.
pub(super) fn filled(document: &str, tables: &str) -> Result<String, String> {
    let (before, rest) = document.split_once(BEGIN).ok_or_else(|| format!("no line {BEGIN:?}"))?;
    let (old, after) = rest.split_once(END).ok_or_else(|| format!("no line {END:?}"))?;
    let (_, old) = sections(old);
    let (circumstances, mut new) = sections(tables);
    let mut text = circumstances.trim().to_owned();
    for (heading, section) in old {
        let measured = new.iter().position(|(other, _)| *other == heading).map(|index| new.remove(index).1);
        let _ = write!(text, "\n\n{}", measured.unwrap_or(section).trim());
    }
    for (_, section) in new {
        let _ = write!(text, "\n\n{}", section.trim());
    }
    Ok(format!("{before}{BEGIN}\n\n{}\n\n{END}{after}", text.trim()))
}

/// What comes before the first table of `text`, and each table with its heading.
fn sections(text: &str) -> (&str, Vec<(&str, &str)>) {
    let starts: Vec<_> = text.match_indices("### ").map(|(start, _)| start).collect();
    let ends = starts.iter().copied().skip(1).chain([text.len()]);
    let table =
        |(start, end): (usize, usize)| (text[start..].lines().next().unwrap_or(""), &text[start..end]);
    let tables = starts.iter().copied().zip(ends).map(table).collect();
    (&text[..starts.first().copied().unwrap_or(text.len())], tables)
}

#[cfg(test)]
mod tests {
    use super::super::contest::Aim;
    use super::*;

    fn standing(name: &str, haul: f64) -> Standing {
        let entry = |role, name: &str, wall: f64| Entry {
            role,
            name: name.to_owned(),
            wall: [wall, wall - 50.0, wall + 100.0],
            processor: 2.0 * wall,
        };
        let aim = Aim { target: Some(1.2), reason: "Because." };
        let entries = vec![
            entry(Role::Reference, "cp", 500.0),
            entry(Role::Peer, "tar | age", 1_000.0),
            entry(Role::Peer, "rage", 2_000.0),
            entry(Role::Haul, "haul seal", haul),
        ];
        Standing { name: name.to_owned(), rounds: 3, aim, entries }
    }

    #[test]
    fn a_table_has_every_command_the_ratios_and_the_reason_of_a_loss() {
        let outcomes = [
            ("tmpfs", standing("seal", 550.0)),
            ("tmpfs", standing("open", 550.0)),
            ("ext4", standing("seal", 700.0)),
        ];
        let boards = boards(&outcomes);
        assert_eq!(boards.len(), 2);
        let expected = "\
### Seal

| command | tmpfs | ext4 |
|---|---|---|
| `cp` \\* | 0.50 (0.45–0.60) 1.00 | 0.50 (0.45–0.60) 1.00 |
| `tar \\| age` | 1.00 (0.95–1.10) 2.00 | 1.00 (0.95–1.10) 2.00 |
| `rage` | 2.00 (1.95–2.10) 4.00 | 2.00 (1.95–2.10) 4.00 |
| `haul seal` | 0.55 (0.50–0.65) 1.10 | 0.70 (0.65–0.80) 1.40 |
| haul to the best peer | **0.55** | **0.70** |
| haul to `cp` (target) | **1.10** (1.2) | **1.40** (1.2) |

Lost on ext4: a peer is faster, or the target is missed. Because.

";
        assert_eq!(boards[0].to_markdown(), expected);
        assert!(!boards[1].to_markdown().contains("Lost"));
    }

    #[test]
    fn only_what_is_between_the_lines_is_replaced() {
        let document = format!("prose\n{BEGIN}\nold\n{END}\nmore prose\n");
        let new = filled(&document, "new\n").unwrap();
        assert_eq!(new, format!("prose\n{BEGIN}\n\nnew\n\n{END}\nmore prose\n"));
        assert_eq!(filled(&new, "new").unwrap(), new, "a second time changes nothing");
        assert!(filled("prose", "new").is_err());
        assert!(wrapped(&"word ".repeat(100)).lines().all(|line| line.len() <= WIDTH));
    }

    #[test]
    fn tables_of_other_contests_stay() {
        let document = format!("{BEGIN}\nyesterday\n\n### One\n\n1\n\n### Two\n\n2\n{END}\n");
        let new = filled(&document, "today\n\n### Two\n\n22\n\n### Three\n\n3\n").unwrap();
        let expected = "today\n\n### One\n\n1\n\n### Two\n\n22\n\n### Three\n\n3";
        assert_eq!(new, format!("{BEGIN}\n\n{expected}\n\n{END}\n"));
    }

    #[test]
    fn the_document_has_a_place_for_the_tables() {
        filled(include_str!("../../../../BENCHMARKS.md"), "").unwrap();
    }
}
