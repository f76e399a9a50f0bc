//! A topic of a test's own: merchant's files under another name.

use std::path::{Path, PathBuf};

use schemas::ccompat::Ccompat;
use schemas::files::{Topic, load};
use tempfile::TempDir;

pub(crate) struct Own {
    pub(crate) registry: Ccompat,
    pub(crate) topic: String,
    pub(crate) folder: TempDir,
}

pub(crate) fn address() -> String {
    bed::environment().get("APP_ENV_SCHEMA_REGISTRY_URL").expect("the stack has a registry").to_owned()
}

fn ccompat() -> Ccompat {
    platform::tls::install();
    Ccompat::new(&address(), reqwest::Client::new())
}

impl Own {
    pub(crate) fn new() -> Self {
        let prefix = bed::unique("files");
        let folder = tempfile::tempdir().unwrap();
        let topic = format!("{prefix}.public.merchant");
        let (from, to) = (reviewed(), folder.path().join(&topic));
        std::fs::create_dir_all(to.join("versions")).unwrap();
        for file in ["topic.json", "key.avsc", "value.avsc", "versions/key-1.avsc", "versions/value-1.avsc"] {
            let text = std::fs::read_to_string(from.join(file)).unwrap();
            std::fs::write(to.join(file), text.replace("commerce.public.", &format!("{prefix}.public."))).unwrap();
        }
        // One version is enough here, whatever commerce has by now.
        for part in ["key", "value"] {
            std::fs::copy(to.join(format!("versions/{part}-1.avsc")), to.join(format!("{part}.avsc"))).unwrap();
        }
        Self { registry: ccompat(), topic, folder }
    }

    pub(crate) fn topics(&self) -> Vec<Topic> {
        load(self.folder.path()).unwrap()
    }

    pub(crate) fn subject(&self) -> String {
        format!("{}-value", self.topic)
    }

    /// The value's schema with its column `email` as another text says, such as nothing.
    pub(crate) fn with_email_as(&self, text: &str) -> String {
        let email = r#",{"name":"email","type":["null","string"],"default":null}"#;
        let schema = self.topics()[0].value.current.clone();
        assert!(schema.contains(email));
        schema.replace(email, text)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        let topic = self.topic.clone();
        let forgetting = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                for part in ["key", "value"] {
                    ccompat().forget(&format!("{topic}-{part}")).await.ok();
                }
            });
        });
        forgetting.join().ok();
    }
}

fn reviewed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("commerce.public.merchant")
}
