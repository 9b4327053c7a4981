//! The content of requests: methods, header fields, bodies and credentials, from the options and from lists.
//!
//! Owns: combining both, which credentials a host gets.
//! Does not own: names of results, connections.

use std::borrow::Cow;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use haul_fetch::{Logins, Method, Request, RequestBody, UrlLogin};
use haul_io::{Cancel, StreamReader, reason};

use super::netrc::{Login, Netrc};
use crate::args::RequestArgs;
use crate::keys::prompt::{self, Echo};
use crate::lists::list::Item;
use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::run::environment::Environment;
use crate::run::short_file::read_text;

/// The Content-Type of a body without one, as in curl.
const FORM: &str = "application/x-www-form-urlencoded";
/// The longest bearer token, in bytes.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;

/// The options for the content of requests, resolved.
#[derive(Debug)]
pub(super) struct RequestPlan {
    method: Option<Method>,
    headers: Vec<OwnField>,
    body: Option<BodySource>,
    login: LoginSource,
}

/// A header field of `-H`.
#[derive(Debug)]
enum OwnField {
    Sent(String, String),
    /// A field that haul doesn't send of its own accord.
    Omitted(String),
}

/// The source of a body.
#[derive(Debug)]
enum BodySource {
    Text(String),
    Stdin,
    File(String),
}

/// The source of credentials.
#[derive(Debug)]
enum LoginSource {
    None,
    Password {
        name: String,
        password: String,
    },
    /// The password is asked for on the terminal.
    Prompt {
        name: String,
    },
    BearerFile(PathBuf),
    Netrc(PathBuf),
}

/// Makes the request for each item.
pub(super) struct RequestTemplate {
    method: Option<Method>,
    headers: Vec<OwnField>,
    body: Option<RequestBody>,
    credentials: Credentials,
}

enum Credentials {
    None,
    Password {
        name: String,
        password: String,
    },
    Bearer(String),
    /// The login of each host.
    Netrc(Arc<Netrc>),
}

impl RequestPlan {
    /// Resolves the options. `is_single` says that a single request will be made, so its body may be stdin.
    pub(super) fn resolve(
        args: &RequestArgs,
        is_single: bool,
        environment: &Environment,
    ) -> Result<Self, Problem> {
        let headers = args.header.iter().map(|field| OwnField::parse(field)).collect::<Result<_, _>>()?;
        let method = args.method.as_deref().map(parse_method).transpose().map_err(Problem::usage)?;
        let body = match args.data.as_deref().map(|data| (data, data.strip_prefix('@'))) {
            None => None,
            Some((text, None)) => Some(BodySource::Text(text.to_owned())),
            Some((_, Some("-"))) if is_single => Some(BodySource::Stdin),
            Some((_, Some("-"))) => return Err(Problem::usage("--data @- is for a single URL")),
            Some((_, Some(path))) => Some(BodySource::File(path.to_owned())),
        };
        Ok(Self { method, headers, body, login: LoginSource::resolve(args, environment)? })
    }

    /// The files that it reads.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let body = match &self.body {
            Some(BodySource::File(path)) => Some(Path::new(path)),
            _ => None,
        };
        let login = match &self.login {
            LoginSource::BearerFile(path) | LoginSource::Netrc(path) => Some(path.as_path()),
            _ => None,
        };
        body.into_iter().chain(login)
    }

    /// Reads the files that the options name, and asks for a missing password. A body from stdin is waited for until
    /// `cancel` is triggered, and at most for `timeout`.
    pub(super) fn prepare(
        self,
        cancel: &Cancel,
        timeout: Option<Duration>,
    ) -> Result<RequestTemplate, Problem> {
        Ok(RequestTemplate {
            method: self.method,
            headers: self.headers,
            body: self.body.map(|body| body.prepare(cancel, timeout)).transpose()?,
            credentials: self.login.prepare()?,
        })
    }
}

impl BodySource {
    fn prepare(self, cancel: &Cancel, timeout: Option<Duration>) -> Result<RequestBody, Problem> {
        let path = match self {
            Self::Text(text) => return Ok(RequestBody::bytes(text)),
            Self::Stdin => {
                let stdin = rustix::io::dup(std::io::stdin()).map_err(std::io::Error::from)?;
                return Ok(RequestBody::reader(StreamReader::new(stdin, cancel.clone()).within(timeout)));
            }
            Self::File(path) => path,
        };
        let unreadable = |why: &str| Problem::usage(format!("cannot read {}: {why}", quoted(&path)));
        match File::open(&path).and_then(|file| file.metadata()) {
            Ok(metadata) if metadata.is_file() => Ok(RequestBody::file(path)),
            Ok(_) => Err(unreadable("not a regular file").hint("--data @- reads stdin")),
            Err(error) => Err(unreadable(&reason(&error))),
        }
    }
}

impl LoginSource {
    fn resolve(args: &RequestArgs, environment: &Environment) -> Result<Self, Problem> {
        if let Some(user) = &args.user {
            let Some((name, password)) = user.split_once(':') else {
                return Ok(Self::Prompt { name: user.clone() });
            };
            check_login(name, password)?;
            return Ok(Self::Password { name: name.to_owned(), password: password.to_owned() });
        }
        if let Some(path) = &args.bearer_file {
            return Ok(Self::BearerFile(path.clone()));
        }
        if let Some(path) = &args.netrc_file {
            return Ok(Self::Netrc(path.clone()));
        }
        if !args.netrc {
            return Ok(Self::None);
        }
        if let Some(path) = environment.variable("NETRC").filter(|path| !path.is_empty()) {
            return Ok(Self::Netrc(path.into()));
        }
        let home = environment.variable("HOME");
        let home = home.ok_or_else(|| Problem::usage("cannot find .netrc: HOME isn't set"))?;
        Ok(Self::Netrc(PathBuf::from(home).join(".netrc")))
    }

    fn prepare(self) -> Result<Credentials, Problem> {
        match self {
            Self::None => Ok(Credentials::None),
            Self::Password { name, password } => Ok(Credentials::Password { name, password }),
            Self::Prompt { name } => {
                let answer = prompt::ask(&format!("password of {}: ", quoted(&name)), Echo::Off, None);
                let password = answer.map_err(|error| {
                    prompt::unanswered("password", &error, "--netrc-file names a file that holds it")
                })?;
                check_login(&name, &password)?;
                Ok(Credentials::Password { name, password: password.to_string() })
            }
            Self::BearerFile(path) => {
                let token = read_text(&path, TOKEN_BYTES_MAX).map_err(|error| {
                    Problem::usage(format!("cannot read the token {}: {}", quoted(&path), reason(&error)))
                })?;
                let token = token.trim().to_owned();
                let checked = probe_request().bearer_auth(&token).check();
                checked.map_err(|_| Problem::usage(format!("{} holds no bearer token", quoted(&path))))?;
                Ok(Credentials::Bearer(token))
            }
            Self::Netrc(path) => Netrc::read(&path).map(Arc::new).map(Credentials::Netrc),
        }
    }
}

impl RequestTemplate {
    /// The logins for hosts that redirects lead to: those of a netrc file. Its default entry isn't for hosts that a
    /// server names.
    pub(super) fn logins(&self) -> Option<Logins> {
        let Credentials::Netrc(netrc) = &self.credentials else { return None };
        let netrc = netrc.clone();
        Some(Logins::new(move |host| {
            let Login { name, password } = netrc.named(host)?.clone();
            Some(UrlLogin { name, password })
        }))
    }

    /// Makes the request for `item`, whose own method, fields and body take precedence. The error is the reason in
    /// words.
    pub(super) fn request(&self, item: &Item) -> Result<Request, String> {
        let body = item.body.clone().map(RequestBody::bytes).or_else(|| self.body.clone());
        let method = match (&item.method, &self.method) {
            (Some(name), _) => parse_method(name)?,
            (None, Some(method)) => method.clone(),
            (None, None) if body.is_some() => Method::POST,
            (None, None) => Method::GET,
        };
        // RFC 9110 section 4.2.4: credentials must not be sent within a URL.
        let (url, login) = UrlLogin::take(&item.url)
            .map_or((Cow::Borrowed(&*item.url), None), |(url, login)| (Cow::Owned(url), Some(login)));
        let mut request = Request::new(method, &url);
        for field in &self.headers {
            request = field.apply(request);
        }
        for (name, value) in &item.headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            if !request.has_header("content-type") && !request.omits("content-type") {
                request = request.header("Content-Type", FORM);
            }
            request = request.body(body);
        }
        if !request.has_header("authorization") && !request.omits("authorization") {
            request = match login {
                Some(login) => request.basic_auth(&login.name, &login.password),
                None => self.credentials.authorize(request),
            };
        }
        request.checked().map_err(|error| error.to_string())
    }
}

impl Credentials {
    fn authorize(&self, request: Request) -> Request {
        match self {
            Self::None => request,
            Self::Password { name, password } => request.basic_auth(name, password),
            Self::Bearer(token) => request.bearer_auth(token),
            Self::Netrc(netrc) => match netrc.login(request.url().host_str().unwrap_or_default()) {
                None => request,
                Some(login) => request.basic_auth(&login.name, &login.password),
            },
        }
    }
}

/// A request on which fields and credentials are tried before any URL is known.
fn probe_request() -> Request {
    Request::get("http://localhost/")
}

fn check_login(name: &str, password: &str) -> Result<(), Problem> {
    let checked = probe_request().basic_auth(name, password).check();
    checked.map_err(|error| Problem::usage(error.to_string()))
}

fn parse_method(name: &str) -> Result<Method, String> {
    match Method::from_str(name) {
        Ok(method) if method != Method::CONNECT => Ok(method),
        _ => Err(format!("{} isn't a method for fetching", quoted(name))),
    }
}

impl OwnField {
    /// Parses a field as curl does: `Name: value`, `Name;` for an empty value, `Name:` for none at all.
    fn parse(field: &str) -> Result<Self, Problem> {
        let malformed = || Problem::usage(format!("the header field {} has no colon", quoted(field)));
        let parsed = match (field.split_once(':'), field.strip_suffix(';')) {
            (Some((name, value)), _) if value.trim().is_empty() => Self::Omitted(name.to_owned()),
            (Some((name, value)), _) => Self::Sent(name.to_owned(), value.trim().to_owned()),
            (None, Some(name)) => Self::Sent(name.to_owned(), String::new()),
            (None, None) => return Err(malformed()),
        };
        let checked = parsed.apply(probe_request()).check();
        checked.map_err(|error| Problem::usage(format!("the header field {}: {error}", quoted(field))))?;
        Ok(parsed)
    }

    fn apply(&self, request: Request) -> Request {
        match self {
            Self::Sent(name, value) => request.header(name, value),
            Self::Omitted(name) => request.without_header(name),
        }
    }
}
