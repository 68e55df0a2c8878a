#!/usr/bin/env bash
# Hostile input for so many seconds a target, as many targets at a time as there are processors.
#
#   tests/fuzz/run.sh SECONDS [TARGET ...]
#
# Begins with the inputs of corpus/TARGET, and with those found before where FUZZ_CORPUS names a folder for them. What
# makes a target fail is left in FUZZ_OUT (target/found), to be given again: target/.../TARGET FILE.
set -uo pipefail
cd "$(dirname "$0")" || exit 1

seconds=$1
shift
targets=${*:-$(sed -n 's|^path = "targets/\(.*\)\.rs"$|\1|p' Cargo.toml)}
host=$(rustc +nightly -vV | sed -n 's/^host: //p')
# The flags of cargo-fuzz: count branches, watch comparisons, watch memory.
RUSTFLAGS="-Cpasses=sancov-module --cfg fuzzing -Ccodegen-units=4 -Cllvm-args=-sanitizer-coverage-level=4
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
  -Cllvm-args=-sanitizer-coverage-trace-compares -Zsanitizer=address"
RUSTFLAGS=$(echo $RUSTFLAGS)
export RUSTFLAGS
cargo +nightly build -q --release --locked --target "$host" || exit 1
built=${CARGO_TARGET_DIR:-target}/$host/release
out=${FUZZ_OUT:-target/found}
mkdir -p "$out"

memory=/dev/shm
[ -d $memory ] || memory=${TMPDIR:-/tmp}
export seconds built out memory

hunt() {
  local target=$1 corpus files status runs covered
  corpus=${FUZZ_CORPUS:-$(mktemp -d)}/$target
  files=$(mktemp -d -p "$memory") && mkdir -p "$corpus" || return 1
  # No input takes more than 1 GiB; what a header promises is no reason to ask for memory. Nor more than two minutes: the
  # largest JPEG that is read at all (64 million pixels) takes half a minute here, 1.5 s without what is watched.
  TMPDIR=$files "$built/$target" -max_total_time="$seconds" -timeout=120 -rss_limit_mb=2048 -malloc_limit_mb=1024 \
    -print_final_stats=1 -artifact_prefix="$out/$target-" "$corpus" "corpus/$target" >"$out/$target.log" 2>&1
  status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$out/$target.log")
  covered=$(grep -o 'cov: [0-9]*' "$out/$target.log" | tail -1)
  if [ $status -eq 0 ]; then
    printf '%-12s clean   %10s inputs, %s\n' "$target" "$runs" "$covered"
  else
    printf '%-12s FAILED  %s\n' "$target" "$(ls "$out/$target"-* 2>/dev/null | tr '\n' ' ')"
    tail -n 40 "$out/$target.log"
  fi
  rm -rf "$files"
  [ -n "${FUZZ_CORPUS:-}" ] || rm -rf "${corpus%/*}"
  return $status
}
export -f hunt

# Fails where one of them failed.
printf '%s\n' $targets | xargs -P "$(nproc)" -I '{}' bash -c 'hunt {}'
