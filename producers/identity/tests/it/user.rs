//! Users: who sees, makes, changes and raises whom.

use serde_json::{Value, json};

use crate::site::{Answered, PASSWORD, Person, Site};

fn account(email: &str, roles: &[&str]) -> Value {
    json!({"email": email, "name": "Nguyễn Thị Lan", "password": "một câu đủ dài để nhớ", "roles": roles})
}

async fn set_roles(site: &Site, by: &Person, id: i64, roles: &[&str]) -> Answered {
    site.put(format!("/users/{id}/roles")).by(by).if_match("*").json(json!({"roles": roles})).send().await
}

#[tokio::test]
async fn a_user_is_made_read_changed_and_deleted() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let made = site.post("/users").by(&admin).json(account("Lan@Example.vn", &["OWNER"])).send().await.expect(201);
    assert_eq!((&made.body["email"], made.etag()), (&"lan@example.vn".into(), "\"1\""));
    assert!(!made.body.to_string().contains("argon2"));
    let path = made.headers["location"].to_str().unwrap().strip_prefix("/v1/api/identity").unwrap().to_owned();
    let read = site.get(&path).by(&admin).send().await.expect(200);
    assert_eq!(read.body, made.body);

    let change = |etag: &str, body: Value| site.patch(&path).by(&admin).if_match(etag).json(body).send();
    let patched = change("\"1\"", json!({"name": "Lan"})).await.expect(200);
    assert_eq!((&patched.body["name"], patched.etag()), (&"Lan".into(), "\"2\""));
    change("\"1\"", json!({"name": "Hoa"})).await.refused(412, "VERSION_MISMATCH");
    site.patch(&path).by(&admin).json(json!({"name": "Hoa"})).send().await.refused(428, "IF_MATCH_REQUIRED");
    change("\"2\"", json!({"nam": "Hoa"})).await.expect(422);

    site.delete(&path).by(&admin).if_match("\"1\"").send().await.expect(412);
    site.delete(&path).by(&admin).if_match("\"2\"").send().await.expect(204);
    site.get(&path).by(&admin).send().await.expect(404);
    site.post("/users").by(&admin).json(account("lan@example.vn", &[])).send().await.expect(201);
}

#[tokio::test]
async fn an_address_belongs_to_one_user_whatever_its_case() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    site.post("/users").by(&admin).json(account("lan@example.vn", &[])).send().await.expect(201);
    let taken = site.post("/users").by(&admin).json(account("LAN@example.vn", &[])).send().await;
    assert_eq!(taken.refused(409, "EMAIL_TAKEN").body["errors"][0]["pointer"], "/email");
    let other = site.person(&[]).await;
    let patch =
        site.patch(format!("/users/{}", other.id)).by(&admin).if_match("*").json(json!({"email": "Lan@example.vn"}));
    patch.send().await.refused(409, "EMAIL_TAKEN");
}

#[tokio::test]
async fn a_repeated_request_makes_one_user_and_every_fault_is_told_at_once() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let create = |body: Value| site.call(axum::http::Method::POST, "/users").by(&admin).once("k-1").json(body).send();
    let first = create(account("lan@example.vn", &[])).await.expect(201);
    assert_eq!(create(account("lan@example.vn", &[])).await.expect(201).body, first.body);
    create(account("hoa@example.vn", &[])).await.expect(422);
    let call = site.call(axum::http::Method::POST, "/users").by(&admin).json(account("hoa@example.vn", &[]));
    call.send().await.refused(400, "IDEMPOTENCY_KEY_REQUIRED");

    let bad = json!({"email": "lan", "name": " ", "password": "password1234", "roles": []});
    let refused = site.post("/users").by(&admin).json(bad).send().await.expect(422).body;
    let pointers: Vec<_> = refused["errors"].as_array().unwrap().iter().map(|fault| fault["pointer"].clone()).collect();
    assert_eq!(pointers, ["/name", "/email", "/password"]);
    let unknown =
        site.post("/users").by(&admin).json(account("hoa@example.vn", &["CASHIER", "WAREHOUSE"])).send().await;
    assert_eq!(unknown.expect(422).body["errors"][0]["pointer"], "/roles/1");
}

#[tokio::test]
async fn a_changed_password_or_status_ends_every_sign_in() {
    let site = Site::new().await;
    let (admin, owner) = (site.person(&["ADMIN"]).await, site.person(&["OWNER"]).await);
    let path = format!("/users/{}", owner.id);
    for body in [json!({"password": "một mật khẩu mới tinh"}), json!({"status": "DISABLED"})] {
        let token = site.app.pool.clone();
        let alive = || async {
            let query = "select count(*) from refresh_token where user_id = $1 and revoked_at is null";
            sqlx::query_scalar::<_, i64>(query).bind(owner.id).fetch_one(&token).await.unwrap()
        };
        let password = if body.get("status").is_some() { "một mật khẩu mới tinh" } else { PASSWORD };
        site.grant(json!({"grant_type": "password", "email": owner.email, "password": password})).await.expect(200);
        assert_eq!(alive().await, 1);
        site.patch(&path).by(&admin).if_match("*").json(body).send().await.expect(200);
        assert_eq!(alive().await, 0);
    }
    // The access token is good until it expires, but its owner changes nothing any more.
    site.post("/users").by(&owner).json(account("x@example.vn", &[])).send().await.expect(401);
    site.patch(&path).by(&admin).if_match("*").json(json!({"status": "ACTIVE"})).send().await.expect(200);
    let weak = site.patch(&path).by(&admin).if_match("*").json(json!({"password": "password1234"})).send().await;
    assert_eq!(weak.expect(422).body["errors"][0]["code"], "WEAK_PASSWORD");
}

#[tokio::test]
async fn owners_see_and_manage_only_those_that_they_made() {
    let site = Site::new().await;
    let (admin, owner, other) =
        (site.person(&["ADMIN"]).await, site.person(&["OWNER"]).await, site.person(&["OWNER"]).await);
    let made = site.post("/users").by(&owner).json(account("thu@example.vn", &["CASHIER"])).send().await.expect(201);
    let path = format!("/users/{}", made.body["id"].as_str().unwrap());
    site.get(&path).by(&owner).send().await.expect(200);
    site.get(&path).by(&other).send().await.expect(404);
    site.patch(&path).by(&other).if_match("*").json(json!({"name": "x"})).send().await.expect(404);
    site.delete(&path).by(&other).if_match("*").send().await.expect(404);
    site.put(format!("{path}/roles")).by(&other).if_match("*").json(json!({"roles": []})).send().await.expect(404);
    let ids = |page: Answered| -> Vec<Value> {
        page.body["items"].as_array().unwrap().iter().map(|user| user["id"].clone()).collect()
    };
    assert_eq!(ids(site.get("/users").by(&owner).send().await.expect(200)), [made.body["id"].clone()]);
    assert!(ids(site.get("/users").by(&other).send().await.expect(200)).is_empty());
    assert_eq!(ids(site.get("/users").by(&admin).send().await.expect(200)).len(), 4);
    site.patch(&path).by(&owner).if_match("*").json(json!({"name": "Thu Ngân"})).send().await.expect(200);
}

#[tokio::test]
async fn a_list_is_filtered_and_paged() {
    let site = Site::new().await;
    let admin = site.person(&["ADMIN"]).await;
    let mut owners = Vec::new();
    for _ in 0..3 {
        owners.push(site.person(&["OWNER"]).await);
    }
    let cashier = site.person(&["CASHIER"]).await;
    let set = site.put(format!("/users/{}/merchants", cashier.id)).by(&admin).if_match("*");
    set.json(json!({"merchant_ids": ["77", "78"]})).send().await.expect(200);
    let emails = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect()
    };
    let first = site.get("/users?role=OWNER&limit=2").by(&admin).send().await.expect(200).body;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second =
        site.get(format!("/users?role=OWNER&limit=2&cursor={cursor}")).by(&admin).send().await.expect(200).body;
    let expected: Vec<_> = owners.iter().rev().map(|owner| owner.email.clone()).collect();
    assert_eq!([emails(&first), emails(&second)].concat(), expected);
    for query in ["merchant_id=77", "status=ACTIVE&role=CASHIER", &format!("email={}", cashier.email.to_uppercase())] {
        let found = site.get(format!("/users?{query}")).by(&admin).send().await.expect(200).body;
        assert_eq!(emails(&found), std::slice::from_ref(&cashier.email), "{query}");
    }
    site.get("/users?status=GONE").by(&admin).send().await.expect(400);
    site.get(format!("/users?role=CASHIER&limit=2&cursor={cursor}")).by(&admin).send().await.refused(400, "BAD_CURSOR");
}

#[tokio::test]
async fn only_a_super_admin_makes_administrators() {
    let site = Site::new().await;
    let (root, admin, person) =
        (site.person(&["SUPER_ADMIN"]).await, site.person(&["ADMIN"]).await, site.person(&[]).await);
    for role in ["SUPER_ADMIN", "ADMIN"] {
        site.post("/users").by(&admin).json(account("new@example.vn", &[role])).send().await.refused(403, "RANK");
        set_roles(&site, &admin, person.id, &["OWNER", role]).await.refused(403, "RANK");
    }
    set_roles(&site, &root, person.id, &["ADMIN"]).await.expect(200);
    set_roles(&site, &admin, person.id, &["OWNER"]).await.refused(403, "RANK");
    set_roles(&site, &root, person.id, &["SUPER_ADMIN"]).await.expect(200);
}

#[tokio::test]
async fn nobody_raises_itself_or_takes_over_somebody_above() {
    let site = Site::new().await;
    let (root, admin, owner) =
        (site.person(&["SUPER_ADMIN"]).await, site.person(&["ADMIN"]).await, site.person(&["OWNER"]).await);
    set_roles(&site, &admin, admin.id, &["ADMIN", "SUPER_ADMIN"]).await.refused(403, "RANK");
    set_roles(&site, &root, root.id, &["SUPER_ADMIN", "CASHIER"]).await.refused(403, "RANK");
    for (actor, target) in [(&admin, &root), (&admin, &admin)] {
        let path = format!("/users/{}", target.id);
        for body in [
            json!({"password": "chiếm lấy tài khoản"}),
            json!({"email": "mine@example.vn"}),
            json!({"status": "DISABLED"}),
        ] {
            site.patch(&path).by(actor).if_match("*").json(body).send().await.refused(403, "RANK");
        }
        site.delete(&path).by(actor).if_match("*").send().await.refused(403, "RANK");
    }
    site.patch(format!("/users/{}", root.id))
        .by(&root)
        .if_match("*")
        .json(json!({"status": "DISABLED"}))
        .send()
        .await
        .refused(403, "RANK");
    set_roles(&site, &owner, owner.id, &["OWNER", "ADMIN"]).await.expect(404);
}

#[tokio::test]
async fn an_owner_makes_its_people_and_nobody_else() {
    let site = Site::new().await;
    let (admin, owner) = (site.person(&["ADMIN"]).await, site.person(&["OWNER"]).await);
    site.post("/roles").by(&admin).json(json!({"name": "WAREHOUSE"})).send().await.expect(201);
    for role in ["SUPER_ADMIN", "ADMIN", "OWNER", "WAREHOUSE"] {
        site.post("/users")
            .by(&owner)
            .json(account("new@example.vn", &["CASHIER", role]))
            .send()
            .await
            .refused(403, "RANK");
    }
    let made = site.post("/users").by(&owner).json(account("new@example.vn", &["EMPLOYEE"])).send().await.expect(201);
    let id: i64 = made.body["id"].as_str().unwrap().parse().unwrap();
    let merchants = |by: &Person| {
        site.put(format!("/users/{id}/merchants")).by(by).if_match("*").json(json!({"merchant_ids": ["9"]})).send()
    };
    merchants(&owner).await.refused(403, "FORBIDDEN");
    merchants(&admin).await.expect(200);
    // Raised by an administrator, it is above its maker, who cannot take it over by a new password.
    set_roles(&site, &admin, id, &["OWNER"]).await.expect(200);
    let path = format!("/users/{id}");
    site.patch(&path)
        .by(&owner)
        .if_match("*")
        .json(json!({"password": "chiếm lấy tài khoản"}))
        .send()
        .await
        .refused(403, "RANK");
    set_roles(&site, &owner, id, &["EMPLOYEE"]).await.refused(403, "RANK");
}

#[tokio::test]
async fn a_policy_gives_nobody_more_than_its_rank() {
    let site = Site::new().await;
    let (admin, employee, person) =
        (site.person(&["ADMIN"]).await, site.person(&["EMPLOYEE"]).await, site.person(&[]).await);
    let all = json!({"role": "EMPLOYEE", "service": "identity", "resource": "*", "action": "*", "effect": "allow"});
    site.post("/policies").by(&admin).json(all).send().await.expect(201);
    site.post("/users").by(&employee).json(account("x@example.vn", &[])).send().await.refused(403, "RANK");
    site.post("/users").by(&employee).json(account("x@example.vn", &["ADMIN"])).send().await.refused(403, "RANK");
    site.post("/roles").by(&employee).json(json!({"name": "MINE"})).send().await.refused(403, "RANK");
    site.post("/signing-keys").by(&employee).send().await.refused(403, "RANK");
    let account = json!({"name": "mine", "roles": []});
    site.post("/service-accounts").by(&employee).json(account).send().await.refused(403, "RANK");
    site.get("/service-accounts").by(&employee).send().await.expect(403);
    let policy = json!({"role": "EMPLOYEE", "service": "commerce", "resource": "*", "action": "*", "effect": "allow"});
    site.post("/policies").by(&employee).json(policy).send().await.refused(403, "RANK");
    // It sees those who work for the same merchants: nobody.
    set_roles(&site, &employee, person.id, &["EMPLOYEE"]).await.expect(404);
    let seen = site.get("/users").by(&employee).send().await.expect(200).body;
    assert_eq!(seen["items"], json!([]));
}

#[tokio::test]
async fn an_administrator_that_was_put_down_changes_nothing_with_the_token_that_it_still_has() {
    let site = Site::new().await;
    let (root, admin, person) =
        (site.person(&["SUPER_ADMIN"]).await, site.person(&["ADMIN"]).await, site.person(&[]).await);
    set_roles(&site, &root, admin.id, &["OWNER"]).await.expect(200);
    set_roles(&site, &admin, person.id, &["OWNER"]).await.refused(403, "RANK");
    site.post("/signing-keys").by(&admin).send().await.refused(403, "RANK");
}

#[tokio::test]
async fn the_last_super_admin_stays_even_when_two_put_each_other_down_at_once() {
    let site = Site::new().await;
    for _ in 0..4 {
        let (one, two) = (site.person(&["SUPER_ADMIN"]).await, site.person(&["SUPER_ADMIN"]).await);
        let (first, second) = futures::future::join(
            set_roles(&site, &one, two.id, &["OWNER"]),
            set_roles(&site, &two, one.id, &["OWNER"]),
        )
        .await;
        let left: Vec<i64> =
            sqlx::query_scalar("select user_id from user_role where role = 'SUPER_ADMIN' and deleted_at is null")
                .fetch_all(&site.database.pool)
                .await
                .unwrap();
        assert!(!left.is_empty(), "{first:?} {second:?}");
        sqlx::query("update user_role set deleted_at = now()").execute(&site.database.pool).await.unwrap();
    }
}
