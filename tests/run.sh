#!/usr/bin/env bash
# Runs all checks, step by step.
#
#   ./tests/run.sh            the standard set: 30 minutes from a clean clone on two slow cores; the goal is 20
#   ./tests/run.sh NAME ...   only these steps
#   ./tests/run.sh deep       exhaustive and long checks, over an hour
#   ./tests/run.sh list       the steps, the seconds that each took when it last ran here, and what it checks
#
# Missing Rust targets are added. Missing packages are named, and installed only if CI=true. A step that cannot run is
# "skipped", never passed. With CI=true, a skipped step of the standard set is a failure, with two exceptions: data that
# may not be redistributed, and tools that may be unavailable. These are PyTorch (the golden values hold its results too)
# and cargo-deny (tests/supply.rs checks the most important part).
set -uo pipefail
cd "$(dirname "$0")/.."

STANDARD="fmt clippy doc test words lanes examples supply advisories targets firmware demo story faces bench data pytorch"
DEEP="deep-exp deep-laws deep-stability deep-bits deep-core deep-minimal deep-package deep-faults deep-fuzz deep-load deep-draws deep-peers"
SKIPPED=77
NO_DATA=78
RELEASE=${CARGO_TARGET_DIR:-target}/release
TOOK=${CARGO_TARGET_DIR:-target}/steps

about() {
  case $1 in
    fmt) echo "the source is formatted" ;;
    words) echo "spelling, links and anchors, the length of README, and retired phrases" ;;
    clippy) echo "no warning from the compiler or clippy in any target; nothing newer than the stated Rust" ;;
    doc) echo "the documentation builds without a warning" ;;
    test) echo "unit, documentation, golden, property and command-line tests" ;;
    lanes) echo "this processor has every instruction set, so the tests compared all of them" ;;
    examples) echo "every example runs and its assertions hold" ;;
    supply) echo "licenses, sources, and bans of all dependencies, by cargo-deny (tests/supply.rs always checks the core's)" ;;
    advisories) echo "the locked versions have no known advisory" ;;
    targets) echo "the core compiles for microcontrollers, without std or alloc" ;;
    firmware) echo "the core trains on Cortex-M and RISC-V under QEMU, bit-identical to the host; no public function links a panic or an allocator" ;;
    demo) echo "\`simloss demo\` compares the losses and writes its report within a minute" ;;
    story) echo "a network adapts to drifted sensors on a device in QEMU and returns, with the figures of the record" ;;
    faces) echo "the same with the published network for ages, if its data are available" ;;
    bench) echo "benches give correct results and meet error bounds; SimLoss takes at most 1.4 times cross entropy's time" ;;
    data) echo "real data, in ../shared: the published network has PyTorch's figures; CIFAR-100 and word vectors have the documented figures" ;;
    pytorch) echo "PyTorch reads exported models, and simloss reads its files; the losses of docs/pytorch.md have the golden values" ;;
    deep-exp) echo "the exponential, for every f32 in its domain" ;;
    deep-laws) echo "the property tests, with many more cases" ;;
    deep-stability) echo "the error bounds, on many more cases" ;;
    deep-bits) echo "training gives the golden bits in every instruction set, on one and two threads, debug, release, and after a kill" ;;
    deep-core) echo "the core and its dependencies compile from scratch in 40 CPU seconds" ;;
    deep-minimal) echo "the oldest versions that the manifests name are new enough" ;;
    deep-peers) echo "SimLoss trains in candle with the core's gradient" ;;
    deep-package) echo "the three crates compile from their packages, as users get them" ;;
    deep-faults) echo "a sweep that is killed fifty times, or meets a full disk, ends with the same bytes" ;;
    deep-fuzz) echo "ten minutes of fuzzing for every reader of files, and for the losses against the oracle" ;;
    deep-draws) echo "the adaptation over ten draws of its samples, tuned by each loss, with the figures of the record" ;;
    deep-load) echo "100,000 x 1,000 logits, 1,000 classes, 200,000 files: time and memory keep their bounds" ;;
  esac
}

# need COMMAND PACKAGE: finds a command, installs it in CI, or names what is missing.
need() {
  command -v "$1" >/dev/null && return 0
  if [ "${CI:-}" = true ] && command -v apt-get >/dev/null; then
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$2"; } >/dev/null 2>&1
    command -v "$1" >/dev/null && return 0
  fi
  echo "needs $1: install the package $2 (Debian, Ubuntu: apt-get install $2)"
  return 1
}

target() {
  rustup target list --installed 2>/dev/null | grep -qx "$1" && return 0
  rustup target add "$1" >/dev/null 2>&1 && return 0
  echo "needs the Rust target $1: rustup target add $1"
  return 1
}

# tests ARGUMENTS..: cargo test, which fails if no test ran, for example after a module was renamed.
tests() {
  local log status
  log=$(mktemp) || return 1
  cargo test --locked "$@" 2>&1 | tee "$log"
  status=$?
  if [ $status -eq 0 ] && ! grep -q '^test result: ok\. [1-9]' "$log"; then
    echo "no test of this name"
    status=1
  fi
  rm -f "$log"
  return $status
}

step_fmt() {
  local w
  for w in . tests/firmware tests/fuzz simloss-bench/candle simloss-bench/peers; do
    cargo fmt --all --check --manifest-path $w/Cargo.toml || return 1
  done
}

# All but the story, which includes exported files of a trained network.
firmware_clippy() {
  cargo clippy --manifest-path tests/firmware/Cargo.toml --locked "$@" -- -D warnings
}

# The spell checker: its dictionary grows, so continuous integration installs one version.
step_words() {
  local typos=1.52.0 word status=0
  if ! command -v typos >/dev/null && [ "${CI:-}" = true ]; then
    python3 -m pip install -q --break-system-packages typos==$typos >/dev/null 2>&1
  fi
  if ! command -v typos >/dev/null; then
    echo "needs typos: pip install typos==$typos"
    return $SKIPPED
  fi
  typos || status=1
  # An exception for a word that nobody writes any more hides its return.
  for word in $(sed -n 's/^\([a-z]*\) = "\1"$/\1/p' .typos.toml); do
    git grep -qi "$word" -- . ':!.typos.toml' || { echo ".typos.toml: nobody writes '$word'; remove it" && status=1; }
  done
  tests -q --workspace --test pages -- words:: && [ $status -eq 0 ]
}

step_clippy() {
  cargo clippy --workspace --all-targets --locked -- -D warnings &&
    firmware_clippy -p simloss-program -p simloss-host || return 1
  local arm=thumbv7em-none-eabihf riscv=riscv32imac-unknown-none-elf
  target $arm && target $riscv || return $SKIPPED
  firmware_clippy -p simloss-cortex-m -p simloss-everything --target $arm &&
    firmware_clippy -p simloss-riscv --target $riscv
}

step_doc() {
  RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --locked
}

step_test() {
  tests --workspace --no-fail-fast
}

step_lanes() {
  local found
  found=$(tests -q --workspace --test library -- engine::the_instruction_sets --ignored --nocapture) || { echo "$found"; return 1; }
  grep '^instruction sets:' <<<"$found" || return 1
  grep -q 'avx512 avx2 scalar' <<<"$found" && return 0
  echo "needs a processor with AVX-512; its results were not compared"
  return $NO_DATA
}

step_examples() {
  local example
  # All at once, with the features of the tests, so that nothing is built twice.
  cargo build -q --workspace --examples --locked || return 1
  for example in simloss-core/examples/*.rs simloss-train/examples/*.rs; do
    echo "$example"
    example=$(basename "$example" .rs)
    "${CARGO_TARGET_DIR:-target}/debug/examples/$example" >/dev/null || return 1
  done
}

has_deny() {
  cargo deny --version >/dev/null 2>&1 && return 0
  echo "needs cargo-deny, which takes minutes to build: cargo install cargo-deny --locked"
  return 1
}

step_supply() {
  has_deny || return $NO_DATA
  cargo deny --locked check licenses bans sources
}

step_advisories() {
  has_deny || return $NO_DATA
  if ! cargo deny --locked fetch db >/dev/null 2>&1; then
    echo "needs the database of advisories, which lies on GitHub"
    return $NO_DATA
  fi
  cargo deny --frozen check advisories
}

step_targets() {
  local t
  for t in thumbv7em-none-eabihf thumbv7m-none-eabi thumbv6m-none-eabi riscv32imac-unknown-none-elf; do
    target $t || return $SKIPPED
    echo "simloss-core for $t"
    cargo check -q -p simloss-core --all-features --locked --target $t || return 1
  done
}

step_firmware() {
  need qemu-system-arm qemu-system-arm || return $SKIPPED
  need qemu-system-riscv32 qemu-system-misc || return $SKIPPED
  need readelf binutils || return $SKIPPED
  target thumbv7em-none-eabihf && target thumbv7m-none-eabi && target thumbv6m-none-eabi &&
    target riscv32imac-unknown-none-elf || return $SKIPPED
  tests/firmware/run.sh "$@" && tests/firmware/guide.sh "$@"
}

# Builds everything that the set runs in release at once. A step that builds one crate alone selects fewer features of the
# libraries below, and so builds them and simloss-train again.
release() {
  cargo build -q --release --locked --workspace --bin simloss --bin stability --bin throughput --example story --bench loss
}

step_demo() {
  local out
  release && out=$(mktemp -d) || return 1
  # The minute starts after the build.
  timeout 60 "$RELEASE/simloss" demo --out "$out/demo" && test -s "$out/demo/report.html"
  local status=$?
  rm -rf "$out"
  return $status
}

# story NAME ARGUMENTS..
story() {
  need qemu-system-arm qemu-system-arm || return $SKIPPED
  target thumbv7em-none-eabihf || return $SKIPPED
  tests/firmware/story.sh "$@"
}

step_story() {
  story wine && story lenet
}

# The images, and the published network for ages.
has_faces() {
  local data=../shared/data
  [ -e $data/UTKFace-4k.tar ] && [ -e $data/checkpoints/utkface_r0.8.safetensors ] && return 0
  echo "needs $data: UTKFace-4k.tar and checkpoints/utkface_r0.8.safetensors, which may not be redistributed"
  return 1
}

step_faces() {
  local data=../shared/data
  has_faces || return $NO_DATA
  story faces "$PWD/$data/UTKFace-4k.tar" "$PWD/$data/checkpoints/utkface_r0.8.safetensors"
}

# 1.2 to 1.3 was measured. The ratio is the median of 70 pairs of consecutive runs, so that a busy machine slows both. 1.4
# leaves room for that, but not for an eighth of the loss.
step_bench() {
  release &&
    "$RELEASE/stability" &&
    cargo bench -q --locked --workspace --bench loss -- --quick --noplot &&
    "$RELEASE/throughput" --only loss --at-most 1.4
}

step_data() {
  local data=../shared/data
  if [ ! -d $data ]; then
    echo "needs $data: UTKFace-4k.tar, cifar-100-binary.tar.xz, checkpoints and embeddings, which may not be redistributed"
    return $NO_DATA
  fi
  SIMLOSS_DATA=$(cd $data && pwd) tests --release -q --workspace --test program -- real:: --ignored --nocapture --test-threads 1
}

step_pytorch() {
  local python=${SIMLOSS_PYTHON:-python3}
  if ! "$python" -c 'import numpy, safetensors.torch, torch' 2>/dev/null; then
    echo "needs torch, numpy and safetensors: pip install torch numpy safetensors, or name another Python in SIMLOSS_PYTHON"
    return $NO_DATA
  fi
  SIMLOSS_PYTHON=$python tests -q --workspace --test library -- exported:: --ignored
}

step_deep-exp() {
  tests --release --workspace --test library -- exponential:: --ignored --nocapture
}

step_deep-laws() {
  PROPTEST_CASES=20000 tests --release --workspace --test library -- laws::
}

step_deep-stability() {
  release && "$RELEASE/stability" --cases 20
}

step_deep-bits() {
  tests -q --workspace --test program -- same_bits:: --include-ignored &&
    tests --release -q --workspace --test program -- same_bits:: --include-ignored
}

step_deep-core() {
  local work status spent
  work=$(mktemp -d) || return 1
  cargo fetch -q --locked || return 1
  # Processor time, which other work on the machine does not change.
  spent=$(TIMEFORMAT='%U %S'; { time cargo build -q --release --locked -p simloss-core --target-dir "$work"; } 2>&1)
  status=$?
  rm -rf "$work"
  echo "processor time, user and system: $spent s"
  awk -v s="$status" '{ exit !(s == 0 && NF == 2 && $1 + $2 < 40) }' <<<"$spent"
}

step_deep-minimal() {
  local work status
  work=$(mktemp -d) || return 1
  git ls-files -z | grep -zvx Cargo.lock | tar cf - --null -T - | tar xf - -C "$work"
  # This resolution is unstable; the compilation is not.
  (cd "$work" && RUSTC_BOOTSTRAP=1 cargo generate-lockfile -q -Z direct-minimal-versions &&
    cargo check -q --locked --all-features -p simloss-core -p simloss-train -p simloss-bench --target-dir "$work/target")
  status=$?
  rm -rf "$work"
  return $status
}

# No step builds simloss-bench/peers, because burn takes eleven minutes. Build it to make its record.
step_deep-peers() {
  cargo run --release -q --locked --manifest-path simloss-bench/candle/Cargo.toml
}

step_deep-package() {
  cargo package -q --workspace --exclude simloss-tests --locked
}

step_deep-faults() {
  local skip=()
  [ "$(id -u)" -eq 0 ] || skip=(--skip a_small_disk)
  tests -q --workspace --test program -- faults:: --include-ignored --nocapture "${skip[@]}" || return 1
  [ "$(id -u)" -eq 0 ] && return 0
  echo "skipped the small disk, which only root may mount: sudo ./tests/run.sh deep-faults"
  return $SKIPPED
}

step_deep-fuzz() {
  need c++ g++ || return $SKIPPED
  if ! rustc +nightly -V >/dev/null 2>&1; then
    echo "needs a nightly compiler: rustup toolchain install nightly --profile minimal"
    return $SKIPPED
  fi
  tests/fuzz/run.sh 600
}

# draws NAME FOLDER: the networks are in the folder. --overwrite after the record replaces its figures.
draws() {
  "$RELEASE/examples/story" draws "$1" "$2" --record docs/records/draws.json
}

step_deep-draws() {
  local work status
  release && work=$(mktemp -d) || return 1
  draws_in "$work"
  status=$?
  rm -rf "$work"
  return $status
}

draws_in() {
  local work=$1 data=../shared/data
  mkdir "$work/wine" "$work/faces" "$work/faces/images" &&
    "$RELEASE/simloss" demo --seeds 1 -r 0.5 --out "$work/demo" >/dev/null &&
    cp "$work/demo/runs/cross-entropy/seed-1/model.safetensors" "$work/wine/cce.safetensors" &&
    cp "$work/demo/runs/order-r0.5/seed-1/model.safetensors" "$work/wine/order.safetensors" &&
    draws wine "$work/wine" || return 1
  has_faces || { echo "wine has the figures of the record; the faces were skipped" && return $NO_DATA; }
  tar -xf $data/UTKFace-4k.tar -C "$work/faces/images" &&
    cp $data/checkpoints/utkface_r0.8.safetensors "$work/faces/order.safetensors" &&
    draws faces "$work/faces"
}

step_deep-load() {
  cargo run --release -q -p simloss-bench --locked --bin load
}

case ${1:-} in
  "") steps=$STANDARD ;;
  deep) steps=$DEEP ;;
  list)
    for s in $STANDARD $DEEP; do
      printf '%-16s %6s  %s\n' "$s" "$(sed -n "s/^$s //p" "$TOOK" 2>/dev/null)" "$(about "$s")"
    done
    exit 0
    ;;
  *) steps=$* ;;
esac

passed=0 failed=0 skipped=0 summary=""
mkdir -p "${TOOK%/*}"
for s in $steps; do
  if ! declare -F "step_$s" >/dev/null; then
    echo "unknown step '$s'; see ./tests/run.sh list" >&2
    exit 2
  fi
  printf '\n== %s: %s\n' "$s" "$(about "$s")"
  start=$SECONDS
  "step_$s"
  status=$?
  took=$((SECONDS - start))
  { grep -v "^$s " "$TOOK" 2>/dev/null; echo "$s $took s"; } >"$TOOK.new" && mv "$TOOK.new" "$TOOK"
  if [ $status -eq 0 ]; then
    word=passed passed=$((passed + 1))
  elif [ $status -eq $NO_DATA ] || { [ $status -eq $SKIPPED ] && [ "${CI:-}" != true ]; }; then
    word=SKIPPED skipped=$((skipped + 1))
  else
    word=FAILED failed=$((failed + 1))
  fi
  summary+=$(printf '%-16s %-8s %4d s  %s' "$s" $word $took "$(about "$s")")$'\n'
done
printf '\n%s%d passed, %d failed, %d skipped\n' "$summary" $passed $failed $skipped
[ $failed -eq 0 ]
