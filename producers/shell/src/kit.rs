//! What every handler of one service stands on.

use std::sync::Arc;

use platform::clock::SharedClock;
use platform::lifecycle::Lifecycle;
use platform::ops::Readiness;
use platform::random::SharedRandom;
use platform::redis::Cache;
use platform::service::Service;
use tokio_util::sync::CancellationToken;

use crate::authority::{Authority, Gate};
use crate::page::Cursors;
use crate::problem::Problem;
use crate::settings::ShellSettings;

/// One service's shell: made once, shared by clones. No part of it is global, so several live in one process.
#[derive(Clone)]
pub struct Kit(Arc<Parts>);

struct Parts {
    service: Service,
    settings: ShellSettings,
    gate: Arc<Gate>,
    cursors: Cursors,
    cache: Cache,
    clock: SharedClock,
    random: SharedRandom,
    lifecycle: Lifecycle,
    readiness: Readiness,
    drained: CancellationToken,
}

/// What a [`Kit`] is made of.
pub struct Outside {
    /// Keys, policies and exchange: [`crate::authority::RemoteAuthority`] but in identity.
    pub authority: Arc<dyn Authority>,
    /// The cache, or [`Cache::none`].
    pub cache: Cache,
    /// The time.
    pub clock: SharedClock,
    /// Randomness, for request ids.
    pub random: SharedRandom,
    /// When to stop.
    pub lifecycle: Lifecycle,
}

impl Kit {
    /// A kit for this service. Registers the readiness check `policies`.
    #[must_use]
    pub fn new(service: Service, settings: ShellSettings, outside: Outside) -> Self {
        let Outside { authority, cache, clock, random, lifecycle } = outside;
        let secret = settings.application_secret.clone();
        let gate = Arc::new(Gate::new(service, authority, clock.clone(), cache.clone(), secret));
        let readiness = Readiness::new(lifecycle.clone());
        let checked = gate.clone();
        readiness.register("policies", move || {
            let held = checked.has_policies();
            async move { if held { Ok(()) } else { Err("no policies from identity yet".to_owned()) } }
        });
        let drained = CancellationToken::new();
        let cursors = Cursors::new(settings.cursor_secret.clone());
        Self(Arc::new(Parts { service, settings, gate, cursors, cache, clock, random, lifecycle, readiness, drained }))
    }

    /// The kit that the server put into a request.
    pub(crate) fn of(extensions: &axum::http::Extensions) -> Result<Self, Problem> {
        extensions.get::<Self>().cloned().ok_or_else(|| {
            tracing::error!("a route is served without shell::router, so there is no kit in the request");
            Problem::internal()
        })
    }

    /// Cancelled when the server has answered its last request.
    pub(crate) fn drained(&self) -> CancellationToken {
        self.0.drained.clone()
    }

    /// The service.
    #[must_use]
    pub fn service(&self) -> Service {
        self.0.service
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &ShellSettings {
        &self.0.settings
    }

    /// Keys and policies.
    #[must_use]
    pub fn gate(&self) -> Arc<Gate> {
        self.0.gate.clone()
    }

    /// What signs cursors.
    #[must_use]
    pub fn cursors(&self) -> Cursors {
        self.0.cursors.clone()
    }

    /// The cache.
    #[must_use]
    pub fn cache(&self) -> &Cache {
        &self.0.cache
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> &SharedClock {
        &self.0.clock
    }

    /// Randomness.
    #[must_use]
    pub fn random(&self) -> &SharedRandom {
        &self.0.random
    }

    /// When to stop.
    #[must_use]
    pub fn lifecycle(&self) -> &Lifecycle {
        &self.0.lifecycle
    }

    /// The readiness checks; add the service's own (`register_postgres`).
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.0.readiness
    }
}
