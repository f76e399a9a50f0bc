//! Roles.

use serde_json::json;

use crate::site::Site;

#[tokio::test]
async fn a_role_is_made_described_used_and_deleted_when_nobody_has_it_any_more() {
    let site = Site::new().await;
    let (admin, person) = (site.person(&["ADMIN"]).await, site.person(&[]).await);
    let made = site.post("/roles").by(&admin).json(json!({"name": "WAREHOUSE"})).send().await.expect(201);
    let path = made.headers["location"].to_str().unwrap().strip_prefix("/v1/api/identity").unwrap().to_owned();
    assert_eq!((made.etag(), &made.body["built_in"]), ("\"1\"", &false.into()));
    let described =
        site.patch(&path).by(&admin).if_match("\"1\"").json(json!({"description": "Kho"})).send().await.expect(200);
    site.patch(&path).by(&admin).if_match("\"1\"").json(json!({"description": "x"})).send().await.expect(412);

    let roles = format!("/users/{}/roles", person.id);
    let set = |names: serde_json::Value| site.put(&roles).by(&admin).if_match("*").json(json!({"roles": names})).send();
    set(json!(["WAREHOUSE"])).await.expect(200);
    let refused = site.delete(&path).by(&admin).if_match(described.etag()).send().await.refused(409, "ROLE_IN_USE");
    assert_eq!((&refused.body["users"], &refused.body["policies"]), (&1.into(), &0.into()));
    set(json!([])).await.expect(200);
    site.delete(&path).by(&admin).if_match(described.etag()).send().await.expect(204);
    site.get(&path).by(&admin).send().await.expect(404);
    set(json!(["WAREHOUSE"])).await.refused(422, "INVALID");

    // The name means the same role for ever.
    let again = site.post("/roles").by(&admin).json(json!({"name": "WAREHOUSE"})).send().await.expect(201);
    assert_eq!(again.body["id"], made.body["id"]);
    site.post("/roles").by(&admin).json(json!({"name": "WAREHOUSE"})).send().await.refused(409, "NAME_TAKEN");
}

#[tokio::test]
async fn built_in_roles_stay_and_names_are_capitals() {
    let site = Site::new().await;
    let admin = site.person(&["SUPER_ADMIN"]).await;
    let listed = site.get("/roles").by(&admin).send().await.expect(200).body;
    let names: Vec<_> = listed["items"].as_array().unwrap().iter().map(|role| role["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["SUPER_ADMIN", "ADMIN", "OWNER", "EMPLOYEE", "CASHIER"]);
    for id in 1..=5 {
        site.delete(format!("/roles/{id}")).by(&admin).if_match("*").send().await.refused(409, "ROLE_BUILT_IN");
    }
    for name in ["", "kho", "K", "KHO HÀNG"] {
        site.post("/roles").by(&admin).json(json!({"name": name})).send().await.expect(422);
    }
}

#[tokio::test]
async fn a_role_is_never_given_while_it_is_deleted() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    for round in 0..5 {
        let name = format!("ROLE_{round}");
        let made = site.post("/roles").by(&admin).json(json!({"name": name})).send().await.expect(201);
        let (person, id) = (site.person(&[]).await, made.body["id"].as_str().unwrap().to_owned());
        let give =
            site.put(format!("/users/{}/roles", person.id)).by(&admin).if_match("*").json(json!({"roles": [name]}));
        let delete = site.delete(format!("/roles/{id}")).by(&admin).if_match("*");
        let (given, deleted) = futures::future::join(give.send(), delete.send()).await;
        let both = (given.status.as_u16(), deleted.status.as_u16());
        assert!(both == (200, 409) || both == (422, 204), "{both:?}");
    }
}
