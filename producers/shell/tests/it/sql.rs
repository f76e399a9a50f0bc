//! The tables that the kit needs are in every service's migrations, as the kit says.

use std::path::Path;

#[test]
fn every_service_has_the_tables_of_the_kit() {
    let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations");
    for service in ["commerce", "identity", "inventory", "invoice"] {
        let files = std::fs::read_dir(migrations.join(service)).unwrap();
        let all: String = files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
        for table in [include_str!("../../sql/idempotency_key.sql"), include_str!("../../sql/snowflake_replica.sql")] {
            assert!(all.contains(table.trim()), "{service} lacks\n{table}");
        }
    }
}
