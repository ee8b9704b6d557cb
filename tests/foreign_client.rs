//! A client in another language, from the protos alone: Python's grpcio asks, retries, follows and branches on
//! errors, with stubs that it generates itself.

use std::process::Command;

use crate::support::{Office, root};

/// Where a Python with grpcio and grpcio-tools is: `DUBAN_TEST_PYTHON`, else the one on the path.
#[allow(clippy::disallowed_methods, reason = "a test's own environment")]
fn python() -> Option<String> {
    let python = std::env::var("DUBAN_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", "import grpc, grpc_tools, grpc_status"]).output();
    let found = probe.is_ok_and(|output| output.status.success());
    if !found {
        let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
        assert!(
            !ci,
            "no Python with grpcio, grpcio-tools and grpcio-status: pip install them, or set DUBAN_TEST_PYTHON"
        );
        eprintln!(
            "NOT TESTED: no Python with grpcio, grpcio-tools and grpcio-status ({python}). \
             pip install them, or set DUBAN_TEST_PYTHON"
        );
    }
    found.then_some(python)
}

#[tokio::test(flavor = "multi_thread")]
async fn python_works_from_the_protos_alone() {
    let Some(python) = python() else { return };
    let office = Office::open().await;
    let stubs = tempfile::tempdir().unwrap();
    let script = root().join("tests/foreign_client.py");
    let output = tokio::process::Command::new(python)
        .arg(script)
        .args([root().join("proto").as_os_str(), stubs.path().as_os_str()])
        .arg(office.running().address.to_string())
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("followed 3 events"), "{said}");
    office.verify().await;
}
