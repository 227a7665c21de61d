//! The generated messages are those of `proto/`. `MNEMIC_GENERATE=1` writes them (`make generate`).

use std::path::Path;

use mnemic_front::CLIENT_STREAMS;

#[test]
fn generated_messages_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let descriptors =
        protox::compile(["mnemic/v1/memory_service.proto"], [root.join("proto")]).unwrap();
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("contract");
    std::fs::create_dir_all(&scratch).unwrap();
    prost_build::Config::new()
        .out_dir(&scratch)
        .bytes(["."]) // a vector is read where it lies in the request
        .compile_fds(descriptors)
        .unwrap();
    let generated = std::fs::read_to_string(scratch.join("mnemic.v1.rs")).unwrap();
    let checked_in = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/contract/v1.rs");
    if std::env::var_os("MNEMIC_GENERATE").is_some() {
        std::fs::write(&checked_in, &generated).unwrap();
    }
    assert!(
        std::fs::read_to_string(&checked_in).unwrap() == generated,
        "src/contract/v1.rs is not what proto/ gives: run `make generate` and commit what it writes"
    );
}

#[test]
fn the_front_knows_which_callers_send_streams() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../proto");
    let services = ["memory", "lifecycle", "admin"];
    let files = services.map(|name| format!("mnemic/v1/{name}_service.proto"));
    let descriptors = protox::compile(files, [root]).unwrap();
    let mut streams = Vec::new();
    for file in &descriptors.file {
        for service in &file.service {
            for method in &service.method {
                if method.client_streaming() {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    streams.push(path);
                }
            }
        }
    }
    let known = CLIENT_STREAMS
        .iter()
        .filter(|path| path.starts_with("/mnemic."));
    assert_eq!(streams, known.copied().collect::<Vec<_>>());
}
