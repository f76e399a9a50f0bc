//! Create, get, patch, list.

use reqwest::Method;
use serde_json::json;

use crate::service::{json, refused, start};

#[tokio::test]
async fn what_is_created_can_be_read_changed_and_read_again() {
    let service = start().await;
    let created = service.create("k", "bun-bo").send().await.unwrap();
    assert_eq!((created.status().as_u16(), created.headers()["etag"].to_str().unwrap()), (201, "\"1\""));
    let location = created.headers()["location"].to_str().unwrap().to_owned();
    let widget = json(created).await;
    assert_eq!(location, format!("/v1/api/commerce/widgets/{}", widget["id"].as_str().unwrap()));
    let path = location.strip_prefix("/v1/api/commerce").unwrap();
    let patched = service.ask(Method::PATCH, path).header("if-match", "\"1\"").json(&json!({"price": 12_000}));
    let patched = patched.send().await.unwrap();
    assert_eq!((patched.status().as_u16(), patched.headers()["etag"].to_str().unwrap()), (200, "\"2\""));
    let read = service.ask(Method::GET, path).send().await.unwrap();
    assert_eq!(read.headers()["etag"], "\"2\"");
    assert_eq!(json(read).await["price"], 12_000);
}

#[tokio::test]
async fn a_stale_etag_answers_412_and_none_428() {
    let service = start().await;
    let path = format!("/widgets/{}", service.created("pho").await);
    let with_etag = |etag: Option<&str>| {
        let request = service.ask(Method::PATCH, &path).json(&json!({"price": 1}));
        etag.map_or(request.try_clone().unwrap(), |etag| request.header("if-match", etag)).send()
    };
    refused(with_etag(None).await.unwrap(), 428, "IF_MATCH_REQUIRED").await;
    refused(with_etag(Some("\"7\"")).await.unwrap(), 412, "VERSION_MISMATCH").await;
    assert_eq!(with_etag(Some("\"1\"")).await.unwrap().status(), 200);
}

#[tokio::test]
async fn of_two_writers_with_the_same_version_exactly_one_wins() {
    let service = start().await;
    let path = format!("/widgets/{}", service.created("pho").await);
    let writes = (0..10).map(|price| {
        service.ask(Method::PATCH, &path).header("if-match", "\"1\"").json(&json!({ "price": price })).send()
    });
    let answers = futures::future::join_all(writes).await;
    let mut statuses: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [&[200][..], &[412; 9]].concat());
}

#[tokio::test]
async fn a_list_is_read_page_by_page_without_gaps_or_doubles() {
    let service = start().await;
    for index in 0..7 {
        service.created(&format!("w-{index}")).await;
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/widgets?limit=3&merchant_id=5{cursor}");
        let page = json(service.ask(Method::GET, &path).send().await.unwrap()).await;
        names.extend(page["items"].as_array().unwrap().iter().map(|item| item["slug"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(names, (0..7).map(|index| format!("w-{index}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn rows_of_others_are_not_there() {
    let service = start().await;
    let path = format!("/widgets/{}", service.created("pho").await);
    service.issuer.set_rules(&[("CASHIER", "commerce", "widget", "read", "allow")]);
    service.kit.gate().refresh().await.unwrap();
    for (user, role, merchants, status, seen) in [
        (7, "OWNER", &[][..], 200, 1),
        (8, "OWNER", &[], 404, 0),
        (8, "CASHIER", &[5], 200, 1),
        (8, "CASHIER", &[6], 404, 0),
        (7, "CASHIER", &[], 404, 0),
        (8, "ADMIN", &[], 200, 1),
    ] {
        let one = service.ask_as(user, &[role], merchants, Method::GET, &path).send().await.unwrap();
        assert_eq!(one.status(), status, "{user} {role} {merchants:?}");
        let list = json(service.ask_as(user, &[role], merchants, Method::GET, "/widgets").send().await.unwrap()).await;
        assert_eq!(list["items"].as_array().unwrap().len(), seen, "{user} {role} {merchants:?}");
    }
}

#[tokio::test]
async fn a_taken_slug_answers_409_with_the_field() {
    let service = start().await;
    service.created("pho").await;
    let problem = refused(service.create("another", "pho").send().await.unwrap(), 409, "SLUG_TAKEN").await;
    assert_eq!(problem["errors"][0]["pointer"], "/slug");
}
