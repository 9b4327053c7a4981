//! Object stores, as the environment describes them.
//!
//! Owns: which variables matter, trusted certificates.
//! Does not own: what the variables mean ([`haul_store`]).

use std::collections::HashMap;
use std::fmt;

use haul_fetch::{Config, Trust};
use haul_io::Cancel;
use haul_store::{Credentials, Endpoint, Error, Settings, Store};
use zeroize::Zeroizing;

use super::environment::Environment;

/// The variables that describe a store.
#[derive(Clone, Default)]
pub(crate) struct StoreVariables(HashMap<String, Zeroizing<String>>);

impl StoreVariables {
    pub(crate) fn resolve(environment: &Environment) -> Self {
        let matters = |name: &str| name.starts_with("AWS_") || name == "HOME";
        let owned = |(name, value): (&str, &str)| (name.to_owned(), Zeroizing::new(value.to_owned()));
        Self(environment.texts().filter(|(name, _)| matters(name)).map(owned).collect())
    }

    /// The store that they describe. Triggering `cancel` ends what is done with it.
    ///
    /// # Errors
    /// If there are no credentials, or the endpoint is invalid.
    pub(crate) fn store(&self, cancel: &Cancel) -> Result<Store, Error> {
        let variable = |name: &str| self.0.get(name).map(|value| value.to_string());
        let trust = variable("AWS_CA_BUNDLE").filter(|path| !path.is_empty());
        let trust = trust.map_or(Trust::Platform, |path| Trust::File(path.into()));
        let mut settings =
            Settings::new(Endpoint::from_environment(&variable)?, Credentials::from_environment(&variable)?);
        settings.client = Config { trust, ..Config::default() };
        Store::new(settings, cancel)
    }
}

impl fmt::Debug for StoreVariables {
    /// Only names: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
