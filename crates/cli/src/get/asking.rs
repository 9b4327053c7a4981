//! What each request asks, and as whom.
//!
//! Owns: methods, header fields, bodies and credentials of requests, from the command line and from lists.
//! Does not own: names of results, how requests travel.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

use haul_fetch::{Method, Request, RequestBody};
use haul_io::reason;

use super::netrc::Netrc;
use crate::args::AskArgs;
use crate::exit::Problem;
use crate::list::Item;
use crate::voice::quoted;

/// How an item becomes a request.
pub(super) struct Asking {
    method: Option<Method>,
    headers: Vec<(String, String)>,
    body: Option<RequestBody>,
    identity: Identity,
}

/// As whom is asked.
enum Identity {
    Nobody,
    User {
        name: String,
        password: String,
    },
    Bearer(String),
    /// Whoever this says for the host.
    Netrc(Netrc),
}

/// What a body is called whose kind nobody names, as curl has it.
const FORM: &str = "application/x-www-form-urlencoded";
/// The longest token, in bytes.
const TOKEN_BYTES_MAX: u64 = 64 * 1024;

impl Asking {
    /// `only_one` says that a single request will be made, so that a body may be read from stdin as it comes.
    pub(super) fn of(args: &AskArgs, only_one: bool) -> Result<Self, Problem> {
        let headers = args.header.iter().map(|field| split_field(field)).collect::<Result<_, _>>()?;
        let method = args.method.as_deref().map(method).transpose().map_err(Problem::usage)?;
        let body = args.data.as_deref().map(|data| body(data, only_one)).transpose()?;
        Ok(Self { method, headers, body, identity: identity(args)? })
    }

    /// The request for `item`; its own method, fields and body count before those for all.
    pub(super) fn request(&self, item: &Item) -> Result<Request, String> {
        let said = |error: haul_fetch::Error| error.to_string();
        let body = item.body.clone().map(RequestBody::bytes).or_else(|| self.body.clone());
        let method = match (&item.method, &self.method) {
            (Some(name), _) => method(name)?,
            (None, Some(method)) => method.clone(),
            (None, None) if body.is_some() => Method::POST,
            (None, None) => Method::GET,
        };
        let mut request = Request::new(method, &item.url).map_err(said)?;
        let own = item.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let common = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in common.chain(own) {
            request = request.header(name, value).map_err(said)?;
        }
        if let Some(body) = body {
            if !request.has_header("content-type") {
                request = request.header("content-type", FORM).map_err(said)?;
            }
            request = request.body(body);
        }
        if !request.has_header("authorization") {
            request = self.identity.sign(request).map_err(said)?;
        }
        Ok(request)
    }
}

impl Identity {
    fn sign(&self, request: Request) -> Result<Request, haul_fetch::Error> {
        match self {
            Self::Nobody => Ok(request),
            Self::User { name, password } => request.basic_auth(name, password),
            Self::Bearer(token) => request.bearer_auth(token),
            Self::Netrc(netrc) => match netrc.login(request.url().host_str().unwrap_or_default()) {
                None => Ok(request),
                Some(login) => request.basic_auth(&login.name, &login.password),
            },
        }
    }
}

fn identity(args: &AskArgs) -> Result<Identity, Problem> {
    if let Some(user) = &args.user {
        return user_identity(user);
    }
    if let Some(path) = &args.bearer_file {
        let token = read_text(path, TOKEN_BYTES_MAX).map_err(|error| {
            Problem::usage(format!("cannot read the token {}: {}", quoted(path), reason(&error)))
        })?;
        let token = token.trim().to_owned();
        let checked = Request::get("http://localhost/").and_then(|request| request.bearer_auth(&token));
        checked.map_err(|_| Problem::usage(format!("{} holds no bearer token", quoted(path))))?;
        return Ok(Identity::Bearer(token));
    }
    match &args.netrc_file {
        Some(path) => Netrc::read(path).map(Identity::Netrc),
        None if args.netrc => Netrc::of_home().map(Identity::Netrc),
        None => Ok(Identity::Nobody),
    }
}

fn user_identity(user: &str) -> Result<Identity, Problem> {
    let (name, password) = match user.split_once(':') {
        Some((name, password)) => (name.to_owned(), password.to_owned()),
        None => {
            let asked = rpassword::prompt_password(format!("password of {}: ", quoted(user)));
            let problem = |error| Problem::usage(format!("cannot ask for the password: {error}"));
            let password =
                asked.map_err(|error| problem(error).hint("--netrc-file names a file that has it"))?;
            (user.to_owned(), password)
        }
    };
    let checked = Request::get("http://localhost/").and_then(|request| request.basic_auth(&name, &password));
    checked.map_err(|error| Problem::usage(error.to_string()))?;
    Ok(Identity::User { name, password })
}

fn method(name: &str) -> Result<Method, String> {
    match Method::from_str(name) {
        Ok(method) if method != Method::CONNECT => Ok(method),
        _ => Err(format!("{} is no method that fetches", quoted(name))),
    }
}

fn body(data: &str, only_one: bool) -> Result<RequestBody, Problem> {
    match data.strip_prefix('@') {
        None => Ok(RequestBody::bytes(data)),
        Some("-") if only_one => Ok(RequestBody::reader(std::io::stdin())),
        Some("-") => Err(Problem::usage("--data @- is for a single URL")),
        Some(path) => {
            let unreadable = |why: &str| Problem::usage(format!("cannot read {}: {why}", quoted(path)));
            match File::open(path).and_then(|file| file.metadata()) {
                Ok(metadata) if metadata.is_file() => Ok(RequestBody::file(path)),
                Ok(_) => Err(unreadable("not a regular file").hint("--data @- reads stdin")),
                Err(error) => Err(unreadable(&reason(&error))),
            }
        }
    }
}

/// The text of a file that must be short.
pub(super) fn read_text(path: &Path, bytes_max: u64) -> std::io::Result<String> {
    let mut text = String::new();
    let count = File::open(path)?.take(bytes_max + 1).read_to_string(&mut text)?;
    match count as u64 > bytes_max {
        true => Err(std::io::Error::other(format!("longer than {bytes_max} bytes"))),
        false => Ok(text),
    }
}

fn split_field(field: &str) -> Result<(String, String), Problem> {
    let malformed = || Problem::usage(format!("the header field {} has no colon", quoted(field)));
    let (name, value) = field.split_once(':').ok_or_else(malformed)?;
    let checked = Request::get("http://localhost/").and_then(|request| request.header(name, value.trim()));
    checked.map_err(|error| Problem::usage(format!("the header field {}: {error}", quoted(field))))?;
    Ok((name.to_owned(), value.trim().to_owned()))
}
