//! A registry that is down, slow to come, wrong or broken.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use schemas::{Registry, RegistryError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// Answers each request with the next of these statuses and bodies, the last one over and over.
async fn answering(answers: Vec<(u16, &'static str)>) -> (Registry, Arc<AtomicUsize>) {
    platform::tls::install();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0; 4096];
            if stream.read(&mut request).await.unwrap_or(0) == 0 {
                continue;
            }
            let (status, body) = answers[count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1)];
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(format!("{head}{body}").as_bytes()).await.ok();
        }
    });
    (Registry::new(&address, reqwest::Client::builder()).unwrap(), asked)
}

const LONG: &str = r#"{"schema":"\"long\""}"#;

#[tokio::test]
async fn many_callers_of_one_id_ask_once() {
    let (registry, asked) = answering(vec![(200, LONG)]).await;
    let registry = &registry;
    let asking = futures::future::join_all((0..50).map(|_| async move { registry.schema(7).await.map(drop) }));
    assert!(asking.await.into_iter().all(|asked| asked.is_ok()));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_error_is_not_kept_and_the_next_question_may_succeed() {
    let (registry, _) = answering(vec![(500, "{}"), (503, "not json"), (200, LONG)]).await;
    for _ in 0..2 {
        assert!(registry.schema(7).await.unwrap_err().is_transient());
        assert!(registry.known(7).is_none());
    }
    assert!(registry.schema(7).await.is_ok());
}

#[tokio::test]
async fn a_404_of_something_else_is_a_registry_that_is_not_there_and_not_a_schema_that_is_not() {
    let (registry, _) = answering(vec![(404, "<html>no such route</html>")]).await;
    assert!(matches!(registry.schema(7).await, Err(RegistryError::Unavailable { .. })));
}

#[tokio::test]
async fn a_schema_that_cannot_be_used_is_told_apart() {
    let (registry, _) = answering(vec![
        (200, r#"{"schema":"{\"type\":\"record\"}"}"#),
        (200, r#"{"schema":"{}","schemaType":"JSON"}"#),
        (200, r#"{"schema":"\"long\"","references":[{"name":"a","subject":"b","version":1}]}"#),
    ])
    .await;
    for _ in 0..3 {
        let error = registry.schema(7).await.unwrap_err();
        assert!(matches!(error, RegistryError::Unusable { id: 7, .. }) && !error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn nobody_listening_is_transient_and_names_the_reason() {
    platform::tls::install();
    let registry = Registry::new("http://127.0.0.1:9", reqwest::Client::builder()).unwrap();
    let error = registry.schema(7).await.unwrap_err();
    assert!(error.is_transient(), "{error}");
}
