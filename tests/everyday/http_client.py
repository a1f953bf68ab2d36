"""Everyday work of http.client through a balancer whose port is the only argument."""

import http.client
import sys

FILE = bytes(at % 251 for at in range(3_000_000))

connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=15)
connection.connect()
socket = connection.sock


def ask(method, path, status=200, **more):
    connection.request(method, path, **more)
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == status, (method, path, answer.status)
    return answer, body


def pieces(*all_of_them):
    yield from all_of_them


# One after the other over one connection.
for _ in range(20):
    answer, body = ask("GET", "/hello")
    assert body == b"hello\n", body
answer, body = ask("HEAD", "/hello")
assert (body, answer.getheader("Content-Length")) == (b"", "6"), (body, answer.headers)
answer, body = ask("GET", "/nowhere", 404)
assert body == b"no such page\n", body

# Chunks with an extension and a trailer come as their data.
answer, body = ask("GET", "/chunks")
assert body == b"one two", body

# Two cookies are two lines.
answer, body = ask("GET", "/cookies")
assert answer.headers.get_all("Set-Cookie") == ["a=1", "b=2; Path=/"], answer.headers

# Bodies of known length and in chunks, with and without anything in them.
assert ask("POST", "/echo", body=b"hello")[1] == b"hello"
assert ask("PUT", "/echo", body=pieces(b"hello", b" ", b"world"), encode_chunked=True)[1] == b"hello world"
assert ask("PUT", "/echo", body=pieces(), encode_chunked=True)[1] == b""

# Large ones, both ways.
assert ask("GET", "/file")[1] == FILE
assert ask("POST", "/echo", body=FILE)[1] == FILE
parts = pieces(*(FILE[at : at + 100_000] for at in range(0, len(FILE), 100_000)))
assert ask("POST", "/echo", body=parts, encode_chunked=True)[1] == FILE
assert ask("GET", "/file", 206, headers={"Range": "bytes=10-19"})[1] == FILE[10:20]

assert connection.sock is socket, "the connection was not kept"
connection.close()
print("all is well")
