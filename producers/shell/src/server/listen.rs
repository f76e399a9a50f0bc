//! Listening, and stopping without losing an answer.

use std::net::SocketAddr;

use axum::Router;
use tokio::net::TcpListener;

use crate::kit::Kit;

/// A listener that is open but does not serve yet.
pub struct Server {
    listener: TcpListener,
    kit: Kit,
}

impl Server {
    /// Opens the port of the kit's settings.
    ///
    /// # Errors
    /// When the port cannot be had; the message names it.
    pub async fn bind(kit: &Kit) -> std::io::Result<Self> {
        let address = kit.settings().address;
        let listener = TcpListener::bind(address).await.map_err(|error| {
            std::io::Error::new(error.kind(), format!("{} cannot listen on {address}: {error}", kit.service().name))
        })?;
        Ok(Self { listener, kit: kit.clone() })
    }

    /// Where it listens: with the real port when the settings say 0.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until the kit's lifecycle stops, then finishes the requests in flight, up to the drain's deadline.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn serve(self, router: Router) -> std::io::Result<()> {
        let (service, address) = (self.kit.service(), self.address()?);
        tracing::info!(service = service.name, %address, "{} listens on http://{address}{}", service.name, service.base_path);
        let lifecycle = self.kit.lifecycle();
        // With the peer's address, for handlers that count by it.
        let service_of = router.into_make_service_with_connect_info::<SocketAddr>();
        let serving = axum::serve(self.listener, service_of).with_graceful_shutdown(lifecycle.stop().cancelled_owned());
        let serving = async move { serving.await };
        let _drained = self.kit.drained().drop_guard();
        if let Some(ended) = lifecycle.finish(serving, self.kit.settings().drain.deadline).await {
            tracing::info!(service = service.name, "{} answered every request and stops", service.name);
            ended
        } else {
            tracing::warn!(
                service = service.name,
                "{} stops with requests unanswered: the deadline passed",
                service.name
            );
            Ok(())
        }
    }
}
