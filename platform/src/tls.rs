//! One TLS provider for the whole process.

/// Installs ring as the process's TLS provider. Call it first in `main`; a second call does nothing. Without it, the
/// first HTTPS client would fail, because no crate here brings a provider of its own.
pub fn install() {
    // An error means that one is installed already: by an earlier call, in a process with several services.
    drop(rustls::crypto::ring::default_provider().install_default());
}

#[cfg(test)]
mod tests {
    #[test]
    fn installing_twice_is_harmless() {
        super::install();
        super::install();
        assert!(rustls::crypto::CryptoProvider::get_default().is_some());
    }
}
