//! What all transfers of a client share.
//!
//! Owns: the settings, the connection pool, the TLS settings, the rate limit, the budget for buffers.
//! Does not own: the state of a single attempt ([`crate::transfer::attempt`]).

use crate::Config;
use crate::route::pool::Pool;
use crate::route::tls::TlsSettings;
use crate::transfer::pace::Throttle;
use crate::transfer::pieces::LargePieces;

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) pool: Pool,
    pub(crate) tls: TlsSettings,
    pub(crate) throttle: Throttle,
    pub(crate) large_pieces: LargePieces,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        let tls = TlsSettings::new(config.trust.clone(), config.client_identity.clone());
        let pool = Pool::new(config.idle_connections_max);
        let throttle = Throttle::new(config.rate_max);
        Self { config, pool, tls, throttle, large_pieces: LargePieces::default() }
    }
}
