use super::*;

fn answered(metrics: &Metrics, operation: &str, role: Option<&'static str>) {
    metrics.answered(&Answered {
        operation: Some(operation),
        role,
        outcome: "ok",
        took: Duration::from_millis(3),
        statements: 2,
    });
}

#[test]
fn requests_are_told_apart_by_operation_role_and_outcome() {
    let metrics = Metrics::default();
    answered(&metrics, "Tasks", Some("MANAGER"));
    answered(&metrics, "Tasks", Some("MANAGER"));
    let text = metrics.text();
    let line = "muster_requests_total{operation=\"Tasks\",role=\"MANAGER\",outcome=\"ok\"} 2";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("muster_request_seconds_bucket{le=\"0.005\",operation=\"Tasks\"} 2"));
    assert!(text.contains("muster_request_statements_sum{operation=\"Tasks\"} 4.0"));
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn names_that_clients_make_up_do_not_fill_the_memory() {
    let metrics = Metrics::default();
    let series = || metrics.text().matches("muster_requests_total{").count();
    for number in 0..1_000 {
        answered(&metrics, &format!("Made_up_{number}"), None);
    }
    assert_eq!(series(), OPERATIONS_OF_STRANGERS_MAX + 1);
    for number in 0..1_000 {
        answered(&metrics, &format!("Real_{number}"), Some("ADMIN"));
    }
    assert_eq!(series(), OPERATIONS_MAX + 2);
    assert!(metrics.text().contains("operation=\"other\""));
}

#[test]
fn a_worker_is_shown_only_where_there_is_one() {
    let metrics = Metrics::default();
    let shown = || {
        let text = metrics.text();
        let line = text
            .lines()
            .find(|line| line.starts_with("muster_worker_up"));
        line.map(str::to_owned)
    };
    assert_eq!(shown(), None);
    metrics.worker_is(false);
    assert_eq!(shown().as_deref(), Some("muster_worker_up 0"));
    metrics.worker_is(true);
    assert_eq!(shown().as_deref(), Some("muster_worker_up 1"));
}
