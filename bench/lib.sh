# Shared by the scripts beside it: builds, starts and ends what they measure. Source it, do not run it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

need() {
  command -v "$1" >/dev/null || { echo "$0 needs $1 (Debian package $2)" >&2; exit 1; }
}

work=$(mktemp -d)
pids=()
# Ends only what was started here.
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
export SIMPLE_LB_RUNTIME_DIR="$work/run"

cargo build --release --quiet --bin simple-lb --bin dummy_servers
bin="$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release"

# wait_for FILE PATTERN: until a line of FILE matches, at most 10 s.
wait_for() {
  for _ in $(seq 100); do
    grep -qE "$2" "$1" 2>/dev/null && return 0
    sleep 0.1
  done
  echo "gave up waiting for '$2':" >&2; cat "$1" >&2; exit 1
}

# start_backends: three on free ports; sets $backends to their URLs.
start_backends() {
  "$bin/dummy_servers" --quiet --ports 0,0,0 >"$work/backends.log" 2>&1 &
  pids+=($!)
  wait_for "$work/backends.log" 'Server 3.*http'
  mapfile -t backends < <(grep -oE 'http://[0-9.:]+' "$work/backends.log")
}

# start_balancer: over $backends, in the lane $LANE or the default one; sets $balancer (its URL) and $balancer_pid.
start_balancer() {
  { echo 'port: "127.0.0.1:0"'; echo 'strategy: "round-robin"'; echo 'backends:'
    printf '  - "%s"\n' "${backends[@]}"
    if [ -n "${LANE:-}" ]; then echo "lane: $LANE"; fi; } >"$work/config.yaml"
  "$bin/simple-lb" --config "$work/config.yaml" >"$work/balancer.log" 2>&1 &
  balancer_pid=$!
  pids+=("$balancer_pid")
  wait_for "$work/balancer.log" 'listening on'
  balancer=$(grep -oE 'http://127[0-9.:]+' "$work/balancer.log" | tail -1)
}
