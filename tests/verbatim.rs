//! The four commands of the README, typed as they stand there.

use crate::harness::{BUILD_DEADLINE, Balancer, Place, Process, backends};

#[test]
fn a_file_of_three_keys_and_three_commands_are_enough() {
    let [a, b, c] = backends();
    let place = Place::new();
    let config = format!(
        r#"# 로드 밸런서 설정

port: 0    # 클라이언트가 접속하는 포트

# 분산 방식
strategy: "round-robin"

# 백엔드 서버 목록
backends:
  - "http://localhost:{}"   # 서버 1
  - "http://localhost:{}"   # 서버 2
  - "http://localhost:{}"   # 서버 3
"#,
        a.port(),
        b.port(),
        c.port()
    );
    place.write("config.yaml", &config);
    let mut balancer = Balancer::of(&place, place.start_shell("simple-lb --config config.yaml"));
    assert_eq!(balancer.order(6), "a b c a b c");

    place.write(
        "config.yaml",
        &config.replace(&format!("  - \"http://localhost:{}\"", b.port()), "  #"),
    );
    let reload = place.shell("simple-lb --reload");
    assert_eq!((reload.code, reload.stderr.as_str()), (0, ""));
    assert!(
        reload
            .stdout
            .starts_with(&format!("- http://localhost:{}\n", b.port())),
        "{reload:?}"
    );
    let names = balancer.order(4);
    assert!(["a c a c", "c a c a"].contains(&names.as_str()), "{names}");

    let stop = place.shell("simple-lb --stop");
    assert_eq!((stop.code, stop.stderr.as_str()), (0, ""));
    assert_eq!(balancer.process.wait(), 0);
}

#[test]
fn cargo_run_starts_three_backends() {
    let mut servers = Process::cargo("run --bin dummy_servers");
    let line = servers.wait_for_line_within(BUILD_DEADLINE, "[Server 3] listening on http://127.0.0.1:");
    let address = line.rsplit('/').next().unwrap().parse().unwrap();
    assert_eq!(
        crate::harness::get(address, "/path").text(),
        "Hello from Server 3\n"
    );
    servers.wait_for_line("[Server 3] 요청 받음! GET /path");
}
