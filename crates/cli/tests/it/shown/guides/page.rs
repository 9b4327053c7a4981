//! The commands of a page.
//!
//! Owns: finding them and their output in Markdown, comparing output, writing it anew.
//! Does not own: running them.

/// A page and its commands.
pub(super) struct Page {
    lines: Vec<String>,
    pub(super) commands: Vec<Command>,
}

/// A command and the output that the page shows.
pub(super) struct Command {
    pub(super) text: String,
    /// The number of the first line of the output, from 0.
    start: usize,
    /// The lines that the page shows there.
    shown: Vec<String>,
    /// What is to be shown instead.
    printed: Option<Vec<String>>,
}

/// What stands for further lines.
const MORE: &str = "…";
/// The start of recipients.
const KEY: &str = "age1";
/// Letters and digits from which on a word that starts so is a recipient.
const KEY_CHARACTERS_MIN: usize = 50;

impl Page {
    pub(super) fn parse(text: &str) -> Self {
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let mut commands: Vec<Command> = Vec::new();
        let mut kind: Option<&str> = None;
        for (index, line) in lines.iter().enumerate() {
            kind = match (kind, line.strip_prefix("```")) {
                (None, Some(kind)) => Some(kind),
                (Some(_), Some(_)) => None,
                (kind, None) => kind,
            };
            if kind != Some("console") || line.starts_with("```") {
                continue;
            }
            if let Some(words) = line.strip_prefix("$ ") {
                let text = words.to_owned();
                commands.push(Command { text, start: index + 1, shown: Vec::new(), printed: None });
            } else if let Some(command) = commands.last_mut() {
                match line.strip_prefix("> ") {
                    Some(words) if command.shown.is_empty() && command.text.ends_with('\\') => {
                        command.text = format!("{}\n{words}", command.text);
                        command.start += 1;
                    }
                    _ => command.shown.push(line.clone()),
                }
            }
        }
        Self { lines, commands }
    }

    /// The page with the output that the commands printed.
    pub(super) fn rewritten(mut self) -> String {
        for command in self.commands.into_iter().rev() {
            if let Some(printed) = command.printed {
                self.lines.splice(command.start..command.start + command.shown.len(), printed);
            }
        }
        self.lines.join("\n") + "\n"
    }
}

impl Command {
    /// Whether `output` is what the page shows.
    pub(super) fn is_shown(&self, output: &str) -> bool {
        let shown: Vec<_> = self.shown.iter().map(|line| comparable(line)).collect();
        let printed: Vec<_> = output.lines().map(comparable).collect();
        match shown.split_last() {
            Some((last, start)) if last == MORE => printed.len() > start.len() && printed.starts_with(start),
            _ => shown == printed,
        }
    }

    pub(super) fn show(&mut self, output: &str) {
        self.printed = Some(output.lines().map(without_keys).collect());
    }

    pub(super) fn shown(&self) -> String {
        self.shown.iter().map(|line| format!("{line}\n")).collect()
    }
}

/// The recipient in `text`, if there is one.
pub(super) fn recipient_in(text: &str) -> Option<&str> {
    text.split(|character: char| !character.is_ascii_alphanumeric()).find(|word| is_recipient(word))
}

fn is_recipient(word: &str) -> bool {
    word.starts_with(KEY) && word.len() >= KEY_CHARACTERS_MIN
}

/// `line` with `age1…` for each recipient.
fn without_keys(line: &str) -> String {
    let mut line = line.to_owned();
    while let Some(key) = recipient_in(&line).map(str::to_owned) {
        line = line.replace(&key, &format!("{KEY}…"));
    }
    line
}

/// `line` with what may differ from run to run replaced: recipients, times, rates.
pub(super) fn comparable(line: &str) -> String {
    let line = without_keys(line);
    let words: Vec<_> = line.split(' ').collect();
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let is_unit = |word: &str| word.trim_end_matches([',', '.', ')']) == "s";
    let is_rate = |word: &str| word.trim_end_matches([',', '.', ')']).ends_with("/s");
    let mut out = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let next = words.get(index + 1).copied().unwrap_or_default();
        out.push(match word {
            number if is_number(number) && (is_unit(next) || is_rate(next)) => "N",
            unit if is_rate(unit) => "R/s",
            word => word,
        });
    }
    out.join(" ")
}

/// The lines of fenced blocks whose commands don't run, with their numbers.
pub(super) fn lines_of_other_blocks(text: &str) -> Vec<(usize, &str)> {
    let mut kind: Option<&str> = None;
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate() {
        match (kind, line.strip_prefix("```")) {
            (None, Some(opened)) => kind = Some(opened),
            (Some(_), Some(_)) => kind = None,
            (Some(kind), None) if kind != "console" => lines.push((index + 1, line)),
            _ => {}
        }
    }
    lines
}

#[test]
fn pages_are_parsed_compared_and_rewritten() {
    let text = "# P\n```sh\n$ no\n```\n```console\n$ a \\\n> b\nout in 0.10 s, 3 KiB/s\n$ c\n```\nend\n";
    let mut page = Page::parse(text);
    assert_eq!(page.commands.iter().map(|command| &*command.text).collect::<Vec<_>>(), ["a \\\nb", "c"]);
    assert!(page.commands[0].is_shown("out in 2 s, 5.5 MiB/s\n"));
    assert!(!page.commands[0].is_shown("out in 2 h\n") && !page.commands[1].is_shown("x\n"));
    let key = format!("age1{}", "q".repeat(58));
    page.commands[1].show(&format!("made {key}.\n"));
    let rewritten = page.rewritten();
    assert_eq!(rewritten, text.replace("$ c\n", "$ c\nmade age1….\n"));
    assert!(Page::parse(&rewritten).commands[1].is_shown(&format!("made {key}.\n")));
    assert!(Page::parse("```console\n$ a\none\n…\n```").commands[0].is_shown("one\ntwo\nthree\n"));
}
