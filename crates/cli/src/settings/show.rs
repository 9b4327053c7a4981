//! `haul config`.
//!
//! Owns: its output as text and as JSON.
//! Does not own: which value is in force ([`super::values`], [`crate::get::network`], [`crate::get::transfers`]).

use std::ffi::{OsStr, OsString};

use serde_json::{Map, Value};

use super::file;
use super::values::{ConfigFile, Origin, Setting};
use crate::args::ConfigArgs;
use crate::get::network::{Scheme, noproxy_in_force, proxy_in_force};
use crate::get::transfers::Wanted;
use crate::report::exit::{Exit, Problem};
use crate::report::redaction::redacted_url;
use crate::report::text::{name_members, quoted};
use crate::report::voice::Voice;
use crate::run::environment::Environment;

/// Prints the settings in force.
pub(crate) fn run(args: &ConfigArgs, environment: &Environment, voice: &Voice) -> Result<Exit, Problem> {
    for row in rows(environment, args.config.config_file()) {
        let is_written = if args.json { voice.data(row.members()) } else { voice.data(row.text()) };
        if !is_written {
            break;
        }
    }
    Ok(Exit::Success)
}

/// A value of a setting.
#[derive(Debug, PartialEq)]
struct Row {
    name: &'static str,
    /// `None` if there is none.
    value: Option<Shown>,
    source: Source,
}

#[derive(Debug, PartialEq)]
enum Shown {
    Text(String),
    Path(OsString),
    Number(usize),
}

#[derive(Debug, PartialEq)]
enum Source {
    Default,
    Setting(Origin),
    /// What the configuration file is: read, not there, or ignored.
    File(&'static str),
}

/// The configuration file, then every value of every setting.
fn rows(environment: &Environment, config: ConfigFile) -> Vec<Row> {
    let settings = &environment.settings;
    let wanted = Wanted::by_settings(settings);
    let path = file::path(environment);
    let source = Source::File(match &path {
        _ if config == ConfigFile::Ignored => "ignored",
        Some(path) if path.exists() => "read",
        _ => "missing",
    });
    let mut rows =
        vec![Row { name: "config-file", value: path.map(|path| Shown::Path(path.into())), source }];
    rows.extend(list("recipient", settings.recipient.as_ref(), |text| Shown::Text(text.clone())));
    let of_path = |path: &std::path::PathBuf| Shown::Path(path.clone().into());
    rows.extend(list("recipients-file", settings.recipients_file.as_ref(), of_path));
    rows.extend(list("identity", settings.identity.as_ref(), of_path));
    rows.push(number("jobs", wanted.jobs(), settings.jobs.as_ref()));
    rows.push(number("per-host", wanted.per_host(), settings.per_host.as_ref()));
    for (name, setting) in [
        ("proxy-http", proxy_in_force(environment, Scheme::Http)),
        ("proxy-https", proxy_in_force(environment, Scheme::Https)),
        ("noproxy", noproxy_in_force(environment)),
    ] {
        let value = setting.as_ref().map(|setting| Shown::Text(redacted_url(&setting.value).into_owned()));
        rows.push(Row { name, value, source: source_of(setting.as_ref()) });
    }
    rows
}

/// A row for each value, or one that says that there is none.
fn list<T>(name: &'static str, setting: Option<&Setting<Vec<T>>>, show: impl Fn(&T) -> Shown) -> Vec<Row> {
    let values = setting.map_or(&[][..], |setting| &setting.value);
    if values.is_empty() {
        return vec![Row { name, value: None, source: source_of(setting) }];
    }
    values.iter().map(|value| Row { name, value: Some(show(value)), source: source_of(setting) }).collect()
}

fn number(name: &'static str, value: usize, setting: Option<&Setting<u16>>) -> Row {
    Row { name, value: Some(Shown::Number(value)), source: source_of(setting) }
}

fn source_of<T>(setting: Option<&Setting<T>>) -> Source {
    setting.map_or(Source::Default, |setting| Source::Setting(setting.origin))
}

impl Row {
    fn text(&self) -> String {
        let value = match &self.value {
            None => "none".to_owned(),
            Some(Shown::Text(text)) => text.clone(),
            Some(Shown::Path(path)) => quoted(path),
            Some(Shown::Number(number)) => number.to_string(),
        };
        let source = match &self.source {
            Source::Default => "default".to_owned(),
            Source::Setting(Origin::Line(line)) => format!("line {line} of the file"),
            Source::Setting(Origin::Variable(name)) => (*name).to_owned(),
            Source::File(state) => (*state).to_owned(),
        };
        format!("{:15}  {value}  ({source})", self.name)
    }

    fn members(&self) -> Value {
        let (from, detail) = match &self.source {
            Source::Default => ("default", None),
            Source::Setting(Origin::Line(line)) => ("file", Some(("line", Value::from(*line)))),
            Source::Setting(Origin::Variable(name)) => ("variable", Some(("variable", Value::from(*name)))),
            Source::File(state) => (*state, None),
        };
        let mut members = Map::from_iter([
            ("event".to_owned(), "setting".into()),
            ("name".to_owned(), self.name.into()),
            ("from".to_owned(), from.into()),
        ]);
        members.extend(detail.map(|(name, value)| (name.to_owned(), value)));
        match &self.value {
            None => members.extend([("value".to_owned(), Value::Null)]),
            Some(Shown::Text(text)) => members.extend(name_members("value", OsStr::new(text))),
            Some(Shown::Path(path)) => members.extend(name_members("value", path)),
            Some(Shown::Number(number)) => members.extend([("value".to_owned(), Value::from(*number))]),
        }
        Value::Object(members)
    }
}
