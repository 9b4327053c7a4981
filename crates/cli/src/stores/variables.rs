//! Object stores, as the environment describes them.
//!
//! Owns: which variables matter, trusted certificates, the way to a store.
//! Does not own: what the variables mean ([`haul_store`], [`crate::get::network`]).

use std::collections::HashMap;
use std::{fmt, io};

use haul_fetch::{Config, Proxies, Trust};
use haul_io::Cancel;
use haul_store::{Credentials, Endpoint, Error, Settings, Store};
use zeroize::Zeroizing;

use crate::get::network;
use crate::run::environment::Environment;

/// The variables that describe a store.
#[derive(Clone, Default)]
pub(crate) struct StoreVariables {
    texts: HashMap<String, Zeroizing<String>>,
    proxies: Proxies,
    /// What is wrong with the proxies.
    bad_proxies: Option<String>,
}

impl StoreVariables {
    pub(crate) fn resolve(environment: &Environment) -> Self {
        let matters = |name: &str| name.starts_with("AWS_") || name == "HOME";
        let owned = |(name, value): (&str, &str)| (name.to_owned(), Zeroizing::new(value.to_owned()));
        let texts = environment.texts().filter(|(name, _)| matters(name)).map(owned).collect();
        match network::default_proxies(environment) {
            Ok(proxies) => Self { texts, proxies, bad_proxies: None },
            Err(problem) => Self { texts, bad_proxies: Some(problem.message), ..Self::default() },
        }
    }

    /// The store that they describe. Triggering `cancel` ends what is done with it.
    ///
    /// # Errors
    /// If there are no credentials, or the endpoint or a proxy is invalid.
    pub(crate) fn store(&self, cancel: &Cancel) -> Result<Store, Error> {
        if let Some(message) = &self.bad_proxies {
            return Err(Error::Local(io::Error::new(io::ErrorKind::InvalidInput, message.clone())));
        }
        self.store_by(Config { proxies: self.proxies.clone(), ..Config::default() }, cancel)
    }

    /// As [`StoreVariables::store`], with the proxies, addresses and timeouts of `client`.
    pub(crate) fn store_by(&self, client: Config, cancel: &Cancel) -> Result<Store, Error> {
        let variable = |name: &str| self.variable(name);
        let trust = variable("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
        let trust = trust.map_or(Trust::Platform, |path| Trust::File(path.into()));
        let mut settings =
            Settings::new(Endpoint::from_environment(&variable)?, Credentials::from_environment(&variable)?);
        settings.client = Config { trust, ..client };
        Store::new(settings, cancel)
    }

    fn variable(&self, name: &str) -> Option<String> {
        self.texts.get(name).map(|value| value.to_string())
    }
}

impl fmt::Debug for StoreVariables {
    /// Only names: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.texts.keys()).finish()
    }
}
