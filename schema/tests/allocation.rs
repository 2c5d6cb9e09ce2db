//! A decoder that has seen an event like it reads the next without allocating.

use audit_schema::decode::Decoder;

const VALUE: &[u8] =
    br#"{"id":"","remediation_id":"rem-\u00e9","workflow_name":"w","workflow_version":"v1",
    "outcome":"failed","effectiveness_score":0.25,"completed_at":"2025-01-15T10:30:00.5Z",
    "step_executions":[{"step_number":1,"action":"drain\u003cnode\u003e","duration":1500000000},
        {"status":"failed","action":"b","deep":{"z":[1.50,2e3],"a":[{}]}}],
    "adaptive_adjustments":[{"reason":"r","timestamp":"0001-01-01T00:00:00Z"}],
    "kubernetes":{"name":"n","cluster":"c"},"attempt":10.0}"#;

#[test]
fn decoding_allocates_nothing_in_the_steady_state() {
    let mut decoder = Decoder::default();
    decoder.decode(VALUE).unwrap();

    let allocations = allocation_counter::measure(|| {
        for _ in 0..10 {
            let event = decoder.decode(VALUE).unwrap();
            let id = uuid::Uuid::from_bytes(event.content_hash().0[..16].try_into().unwrap());
            assert_ne!(event.digest(id), event.content_hash());
            assert_eq!(event.steps().count(), 2);
        }
    });
    assert_eq!(allocations.count_total, 0);
}
