//! curl: downloads, uploads, ranges, old versions, several URLs over one connection.

use super::{is_installed, read, run};
use crate::harness::{Balancer, FILE_LENGTH, GZIP_HELLO, Site, file};

/// A site behind a balancer, and curl in a folder of its own.
struct Curl {
    site: Site,
    balancer: Balancer,
}

impl Curl {
    #[track_caller]
    fn start() -> Option<Self> {
        is_installed("curl").then(|| {
            let (site, balancer) = Site::with_balancer(&[("/hello", "text/plain", "hello\n")]);
            Self { site, balancer }
        })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.balancer.address())
    }

    /// Runs curl with these arguments for that path, and perhaps with a file as its input; what it printed.
    #[track_caller]
    fn run(&self, arguments: &str, path: &str) -> String {
        let url = self.url(path);
        let line = format!("curl --silent --show-error --noproxy '*' --max-time 20 {arguments} '{url}'");
        run(&self.balancer.place, &line)
    }

    #[track_caller]
    fn read(&self, name: &str) -> Vec<u8> {
        read(&self.balancer.place, name)
    }

    #[track_caller]
    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.balancer.place.folder().join(name), bytes).unwrap();
    }
}

#[test]
fn get_and_head_agree() {
    let Some(curl) = Curl::start() else { return };
    assert_eq!(curl.run("", "/hello"), "hello\n");
    let head = curl.run("--head", "/hello").to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head:?}");
    assert!(
        head.contains("\r\ncontent-length: 6\r\n") && head.ends_with("\r\n\r\n"),
        "{head:?}"
    );
    assert_eq!(
        curl.run("--output missing --write-out '%{http_code}'", "/nowhere"),
        "404"
    );
    assert_eq!(curl.read("missing"), b"no such page\n");
}

#[test]
fn a_file_is_posted_after_the_backend_has_asked_for_it() {
    let Some(curl) = Curl::start() else { return };
    curl.write("up", &file());
    let arguments = "--header 'Expect: 100-continue' --expect100-timeout 15 --data-binary @up --output down \
         --stderr trace --verbose --write-out '%{http_code} %{size_upload} %{time_total}'";
    let told = curl.run(arguments, "/echo");
    let told: Vec<_> = told.split(' ').collect();
    assert_eq!(told[..2], ["200", &FILE_LENGTH.to_string()]);
    // Else curl would have waited for its own timeout.
    let took: f64 = told[2].parse().unwrap();
    assert!(took < 15.0, "{took} s");
    let trace = String::from_utf8_lossy(&curl.read("trace")).into_owned();
    assert!(trace.contains("HTTP/1.1 100 Continue"), "{trace}");
    assert!(curl.read("down") == file());
    assert_eq!(curl.site.seen("/echo")[0].all("expect"), ["100-continue"]);
}

#[test]
fn an_upload_of_unknown_length_goes_in_chunks() {
    let Some(curl) = Curl::start() else { return };
    curl.write("up", &file());
    let url = curl.url("/echo");
    let line = format!(
        "curl --silent --show-error --noproxy '*' --max-time 20 --output down --upload-file - '{url}' < up"
    );
    run(&curl.balancer.place, &line);
    assert!(curl.read("down") == file());
    let request = &curl.site.seen("/echo")[0];
    assert_eq!(
        (request.method.as_str(), request.all("transfer-encoding")),
        ("PUT", vec!["chunked"])
    );
}

#[test]
fn what_is_compressed_stays_as_it_is() {
    let Some(curl) = Curl::start() else { return };
    curl.run("--output raw", "/gzip");
    assert_eq!(curl.read("raw"), GZIP_HELLO);
    assert_eq!(curl.run("--compressed", "/gzip"), "hello");
    let [plain, compressed] = &curl.site.seen("/gzip")[..] else {
        panic!("not two requests");
    };
    assert_eq!(plain.all("accept-encoding").len(), 0);
    assert!(compressed.all("accept-encoding")[0].contains("gzip"));
}

#[test]
fn ranges_and_continued_downloads_are_exact() {
    let Some(curl) = Curl::start() else { return };
    let told = curl.run(
        "--range 1000-1999 --output part --write-out '%{http_code}'",
        "/file",
    );
    assert_eq!(
        (told.as_str(), curl.read("part")),
        ("206", file()[1000..2000].to_vec())
    );
    curl.write("whole", &file()[..1_234_567]);
    curl.run("--continue-at - --output whole", "/file");
    assert!(curl.read("whole") == file());
    assert_eq!(curl.site.seen("/file")[1].all("range"), ["bytes=1234567-"]);
}

#[test]
fn http_1_0_gets_answers_that_it_understands() {
    let Some(curl) = Curl::start() else { return };
    let told = curl.run("--http1.0 --include", "/chunks");
    let (head, body) = told.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, "one two");
    assert!(
        !head.to_ascii_lowercase().contains("transfer-encoding"),
        "{head:?}"
    );
    assert_eq!(curl.run("--http1.0", "/hello"), "hello\n");
    assert_eq!(curl.run("--http1.0 --data-binary hello", "/echo"), "hello");
}

#[test]
fn several_urls_go_over_one_connection() {
    let Some(curl) = Curl::start() else { return };
    let (hello, chunks) = (curl.url("/hello"), curl.url("/chunks"));
    let told = curl.run(
        &format!("--write-out ' %{{num_connects}};' {hello} {chunks} {hello}"),
        "/hello",
    );
    assert_eq!(told, "hello\n 1;one two 0;hello\n 0;hello\n 0;");
}

#[test]
fn cookies_come_line_by_line_and_go_back() {
    let Some(curl) = Curl::start() else { return };
    curl.run("--cookie-jar jar", "/cookies");
    curl.run("--cookie jar --request DELETE", "/hello");
    let request = &curl.site.seen("/hello")[0];
    assert_eq!(
        (request.method.as_str(), request.all("cookie")),
        ("DELETE", vec!["a=1; b=2"])
    );
}
