//! TLS in a build without the feature `tls`: no connection has it.
//!
//! Owns: what stands in for the types of a build with it; none of them has a value but the settings.
//! Does not own: refusing what needs TLS, before anything is connected ([`crate::route::hops`]).

use std::convert::Infallible;
use std::io;
use std::marker::PhantomData;
use std::time::Duration;

use haul_io::{Buf, Io};

use crate::client::config::ClientIdentity;
use crate::route::wire::{Wait, Wire};
use crate::{Error, Trust};

pub(crate) struct TlsSettings;

/// There is none.
pub(crate) enum TlsConfig {}

/// There is none.
pub(crate) struct Tls<W> {
    never: Infallible,
    wire: PhantomData<W>,
}

impl TlsSettings {
    pub(crate) fn new(_: Trust, _: Option<ClientIdentity>) -> Self {
        Self
    }

    pub(crate) fn identified(&self) -> Result<TlsConfig, Error> {
        Err(Error::NotBuilt { feature: "tls" })
    }

    pub(crate) fn anonymous(&self) -> Result<TlsConfig, Error> {
        Err(Error::NotBuilt { feature: "tls" })
    }
}

impl<W: Wire> Tls<W> {
    pub(crate) async fn handshake(
        _: &impl Io,
        config: TlsConfig,
        _: &str,
        _: W,
        _: Duration,
    ) -> Result<Self, Error> {
        match config {}
    }

    pub(crate) fn version_and_cipher(&self) -> String {
        match self.never {}
    }

    pub(crate) fn ended_cleanly(&self) -> bool {
        match self.never {}
    }
}

impl<W: Wire> Wire for Tls<W> {
    async fn send(&mut self, _: &impl Io, _: Buf, _: Wait) -> (io::Result<()>, Buf) {
        match self.never {}
    }

    async fn receive(&mut self, _: &impl Io, _: Buf, _: Wait) -> (io::Result<usize>, Buf) {
        match self.never {}
    }
}
