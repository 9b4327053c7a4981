//! What all transfers of a client share.
//!
//! Owns: the settings, the connection pool, the TLS settings, the rate limit, the budget for buffers.
//! Does not own: the state of a single attempt ([`crate::transfer::attempt`]).

use std::sync::Arc;

use crate::Config;
use crate::body::encoded::encoding::Encoding;
use crate::route::pool::Pool;
use crate::route::tls::session::TlsSettings;
use crate::segments::host_permits::HostPermits;
use crate::transfer::bulk::pieces::LargePieces;
use crate::transfer::pace::Throttle;

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) pool: Arc<Pool>,
    pub(crate) tls: Arc<TlsSettings>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) large_pieces: Arc<LargePieces>,
    /// How files are stored, unless as they arrive.
    pub(crate) encoding: Option<Encoding>,
    /// Requests under way, by host, where these are counted.
    pub(crate) host_permits: HostPermits,
}

impl Shared {
    pub(crate) fn new(config: Config) -> Self {
        let tls = Arc::new(TlsSettings::new(config.trust.clone(), config.client_identity.clone()));
        let pool = Arc::new(Pool::new(config.idle_connections_max));
        let throttle = Arc::new(Throttle::new(config.rate_max));
        let encoding = config.format.clone().map(Encoding::new);
        Self {
            config,
            pool,
            tls,
            throttle,
            encoding,
            large_pieces: Arc::default(),
            host_permits: HostPermits::default(),
        }
    }

    /// The same with other settings, which agree on certificates, rates and idle connections.
    pub(crate) fn with_config(&self, config: Config) -> Self {
        Self {
            config,
            pool: self.pool.clone(),
            tls: self.tls.clone(),
            throttle: self.throttle.clone(),
            large_pieces: self.large_pieces.clone(),
            encoding: self.encoding.clone(),
            host_permits: self.host_permits.clone(),
        }
    }
}
