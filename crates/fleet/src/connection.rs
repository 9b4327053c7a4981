//! The connection to Redis or Valkey.
//!
//! Owns: connecting anew after a loss, deadlines, what the client library says.
//! Does not own: what is called, when a call is repeated.

use std::time::Duration;

use redis::{Client, Connection as RedisConnection, ErrorKind, RedisError, Value};

use crate::address::Address;
use crate::scripts::keys;
use crate::server::{Call, Failure, Reply, Server};

/// The server of a run. It is connected when it is first called, and anew after each loss.
pub struct Connection {
    client: Client,
    address: Address,
    /// How long connecting, and an answer, may take.
    timeout: Duration,
    connection: Option<RedisConnection>,
}

impl Connection {
    /// The server at `address`. Nothing is sent yet.
    ///
    /// # Errors
    /// If the client library doesn't accept the address.
    pub fn new(address: &Address, timeout: Duration) -> Result<Self, Failure> {
        let client = Client::open(address.server()).map_err(|error| failure(&error))?;
        Ok(Self { client, address: address.clone(), timeout, connection: None })
    }

    /// Another connection to the same run. Nothing is sent yet.
    pub fn another(&self) -> Self {
        let Self { client, address, timeout, connection: _ } = self;
        Self { client: client.clone(), address: address.clone(), timeout: *timeout, connection: None }
    }

    fn connect(&self) -> Result<RedisConnection, RedisError> {
        let connection = self.client.get_connection_with_timeout(self.timeout)?;
        connection.set_read_timeout(Some(self.timeout))?;
        connection.set_write_timeout(Some(self.timeout))?;
        Ok(connection)
    }

    fn try_call(&mut self, call: &Call) -> Result<Reply, RedisError> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let keys = keys(self.address.run());
        let mut command = redis::cmd("EVAL");
        command.arg(call.script.text()).arg(keys.len()).arg(keys);
        for argument in &call.arguments {
            command.arg(argument.as_slice());
        }
        let answer = command.query::<Value>(&mut connection);
        // A connection that an answer may still come on is of no use.
        if answer.is_ok() || answer.as_ref().is_err_and(|error| error.code().is_some()) {
            self.connection = Some(connection);
        }
        answer.map(reply)
    }
}

impl Server for Connection {
    fn call(&mut self, call: &Call) -> Result<Reply, Failure> {
        self.try_call(call).map_err(|error| failure(&error))
    }
}

fn reply(value: Value) -> Reply {
    match value {
        Value::Int(number) => Reply::Int(number),
        Value::BulkString(bytes) => Reply::Bytes(bytes),
        Value::SimpleString(text) => Reply::text(text),
        Value::VerbatimString { text, .. } => Reply::text(text),
        Value::Okay => Reply::text("OK"),
        Value::Array(list) | Value::Set(list) => Reply::List(list.into_iter().map(reply).collect()),
        Value::Map(pairs) => {
            Reply::List(pairs.into_iter().flat_map(|(name, value)| [reply(name), reply(value)]).collect())
        }
        _ => Reply::Nil,
    }
}

/// What failed, without the login: the client library names neither.
fn failure(error: &RedisError) -> Failure {
    let is_passing =
        matches!(error.code(), Some("LOADING" | "BUSY" | "MASTERDOWN" | "READONLY" | "TRYAGAIN" | "OOM"));
    let reason = match error.kind() {
        ErrorKind::AuthenticationFailed => "the password was refused".to_owned(),
        _ => error.to_string(),
    };
    if error.code().is_some() && !is_passing || error.kind() == ErrorKind::AuthenticationFailed {
        Failure::Refused(reason)
    } else {
        Failure::Lost(reason)
    }
}
