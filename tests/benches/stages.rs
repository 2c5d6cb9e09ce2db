//! How long each stage takes: `cargo bench --package audit-tests --bench stages`.

use audit_tests::stages::Stage;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn stages(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("stages");
    for stage in Stage::all() {
        let mut pass = stage.prepare().expect("the generator's events are valid");
        group.throughput(Throughput::Elements(stage.events().into()));
        group.bench_function(stage.name(), |bencher| bencher.iter(&mut pass));
    }
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
