//! The settings of this service, beside the shell's.

use platform::config::{Reader, Setting};
use platform::sealing::Key;
use url::Url;

/// Where its media are, and what seals credentials.
#[derive(Debug, Clone)]
pub struct CommerceSettings {
    /// Object storage for media. `APP_ENV_MEDIA_URL` (`file:///var/lib/sluice/media`).
    pub media_url: Url,
    /// Seals credentials. `APP_ENV_APPLICATION_SECRET`, 64 hexadecimal digits.
    pub application_secret: Key,
    /// Keys that still open credentials after a rotation. `APP_ENV_APPLICATION_SECRET_PREVIOUS`, separated by commas.
    pub previous_secrets: Vec<Key>,
}

/// Keys separated by commas. Never printed.
#[derive(Debug, Clone)]
struct Keys(Vec<Key>);

impl Setting for Keys {
    const EXPECTED: &'static str = "keys of 64 hexadecimal digits, separated by commas";
    fn parse(text: &str) -> Option<Self> {
        text.split(',').map(Key::from_hex).collect::<Option<Vec<_>>>().map(Self)
    }
    fn shown(_: &str) -> String {
        "***".to_owned()
    }
}

impl CommerceSettings {
    /// Reads the settings.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let media_url = reader.required("APP_ENV_MEDIA_URL", "object storage for media");
        let application_secret = reader.key("APP_ENV_APPLICATION_SECRET", "seals credentials");
        let previous = reader.optional::<Keys>("APP_ENV_APPLICATION_SECRET_PREVIOUS", "keys before the last rotation");
        Some(Self {
            media_url: media_url?,
            application_secret: application_secret?,
            previous_secrets: previous?.map_or_else(Vec::new, |keys| keys.0),
        })
    }
}
