//! Identity over HTTP.

use std::time::Duration;

use async_trait::async_trait;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{Authority, AuthorityError, Jwks};

/// Asks identity's endpoints.
pub struct RemoteAuthority {
    client: Client,
    base: String,
}

impl RemoteAuthority {
    /// Asks the identity that answers at `url` (scheme, host and port).
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(url: &str) -> Result<Self, reqwest::Error> {
        platform::tls::install();
        let client = Client::builder().timeout(Duration::from_secs(5)).pool_max_idle_per_host(2).build()?;
        let base = format!("{}{}", url.trim_end_matches('/'), platform::service::Service::IDENTITY.base_path);
        Ok(Self { client, base })
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Response, AuthorityError> {
        let response = request.send().await.map_err(|error| unreachable(&error))?;
        match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::BAD_REQUEST => Err(AuthorityError::Refused),
            status if status.is_success() => Ok(response),
            status => Err(AuthorityError::Unreachable(format!("it answered {status}"))),
        }
    }
}

fn unreachable(error: &reqwest::Error) -> AuthorityError {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    AuthorityError::Unreachable(format!("{error}{cause}"))
}

#[async_trait]
impl Authority for RemoteAuthority {
    async fn keys(&self) -> Result<Jwks, AuthorityError> {
        let response = self.ask(self.client.get(format!("{}/jwks.json", self.base))).await?;
        response.json().await.map_err(|error| unreachable(&error))
    }

    async fn bundle(&self) -> Result<String, AuthorityError> {
        let response = self.ask(self.client.get(format!("{}/policies/bundle", self.base))).await?;
        response.text().await.map_err(|error| unreachable(&error))
    }

    async fn exchange(&self, authorization: &SecretString) -> Result<String, AuthorityError> {
        #[derive(Deserialize)]
        struct Token {
            access_token: String,
        }
        let request = self
            .client
            .post(format!("{}/tokens", self.base))
            .header(reqwest::header::AUTHORIZATION, authorization.expose_secret())
            .json(&serde_json::json!({ "grant_type": "service_account" }));
        let token: Token = self.ask(request).await?.json().await.map_err(|error| unreachable(&error))?;
        Ok(token.access_token)
    }
}
