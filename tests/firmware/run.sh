#!/usr/bin/env bash
# Builds the firmware, runs it under QEMU with a time limit, and compares its output with the golden files, which are
# what the host computes, and its cost with the record. `--overwrite` accepts both as they are now.
set -uo pipefail
cd "$(dirname "$0")"

. ./qemu.sh

overwrite=false
[ "${1:-}" = --overwrite ] && overwrite=true
record=../../docs/records/firmware.json
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
status=0

fail() {
  echo "$*"
  status=1
}

# golden FILE ARGUMENTS.. : what the host prints is the golden file.
golden() {
  local file=golden/$1
  shift
  cargo run -q --release --locked -p simloss-host "$@" >"$work/host" || exit 1
  $overwrite && cp "$work/host" "$file"
  diff -u "$file" "$work/host" || { echo "the host's bits differ from $file"; exit 1; }
  echo "host: bits of $file"
}

# section ELF NAME.. : bytes in the sections of these names.
section() {
  local elf=$1
  shift
  readelf -SW "$elf" | sed 's/^ *\[ *[0-9]*\] *//' |
    awk -v names=" $* " 'index(names, " " $1 " ") { print $5 }' | { sum=0; while read -r n; do sum=$((sum + 16#$n)); done; echo $sum; }
}

# run TARGET BOARD PACKAGE FEATURES CLASSES : all binaries of a package on a board.
run() {
  local target=$1 board=$2 package=$3 features=$4 golden=$5 folder=target/${4:-head} binaries elf code name
  # Raw programs first, then the same by `device::Head`.
  binaries=$(cd "${package#simloss-}/src/bin" && printf '%s\n' *.rs | sed 's/\.rs$//')
  binaries=$(grep -v ^head- <<<"$binaries" && grep ^head- <<<"$binaries")
  # The vectors need more than 16 KB of RAM.
  [ "$features" = small ] && binaries=$(grep -v vectors <<<"$binaries")
  # shellcheck disable=SC2046 # one option for each binary
  cargo build -q --release --locked -p "$package" --target "$target" ${features:+--features "$features"} \
    --target-dir "$folder" $(printf -- '--bin %s ' $binaries) || exit 1
  for binary in $binaries; do
    elf=$folder/$target/release/$binary
    emulate "$target" "$board" "$elf" >"$work/output"
    code=$?
    if [ $code -ne 0 ]; then
      fail "$target on $board: $binary ended with $code (124: time limit)"
      continue
    fi
    if [ "$binary" = vectors ]; then
      cp golden/vectors.txt "$work/expected"
    else
      name=${binary#head-}
      grep "^${name%%-*} \(simloss-\)\?${name#*-}\(-order\)\? " "$golden" >"$work/expected"
    fi
    diff -u "$work/expected" <(grep -v '^#' "$work/output") >"$work/diff" ||
      { fail "$target on $board: the bits of $binary differ from the golden file"; head -20 "$work/diff"; continue; }
    if [ "$binary" = vectors ]; then
      echo "$target on $board: $(wc -l <golden/vectors.txt) vectors and metrics have the host's bits"
      continue
    fi
    cost "$target" "$board" "$binary" "$elf" "$golden"
  done
}

# cost TARGET BOARD BINARY ELF GOLDEN : one row of the record, from the sections of the ELF and the last line of output.
cost() {
  local numbers loss binary=${3#head-} features=80 classes=90 instructions stack optimizer api=raw other
  optimizer=${binary%%-*}
  numbers=$(sed -n 's/^# instructions and stack //p' "$work/output")
  instructions=$((16#${numbers% *})) stack=$((16#${numbers#* }))
  loss=$(cut -d' ' -f2 "$work/expected" | head -1)
  [ "$5" = golden/head-16-8.txt ] && features=16 classes=8
  [ "$binary" = "$3" ] || api=head
  case $optimizer in
    # Of these the step is a sample's part of a mean.
    accumulate) optimizer=sgd ;;
    # What a head costs beside its steps.
    store)
      optimizer=sgd api=head
      read -r -a other <<<"$(sed -n 's/^# forward, save, load //p' "$work/output")"
      ;;
  esac
  printf '{"target":"%s","board":"%s","binary":"%s","api":"%s","optimizer":"%s","loss":"%s","features":%d,"classes":%d,' \
    "$1" "$2" "$binary" $api $optimizer "$loss" $features $classes >>"$work/rows"
  if [ "$binary" = store-order ]; then
    printf '"instructions_per_forward":%d,"instructions_per_save":%d,"instructions_per_load":%d,' \
      $((16#${other[0]})) $((16#${other[1]})) $((16#${other[2]})) >>"$work/rows"
  else
    printf '"instructions_per_step":%d,' $instructions >>"$work/rows"
  fi
  printf '"text_bytes":%d,"rodata_bytes":%d,"static_ram_bytes":%d,"stack_bytes":%d}\n' \
    "$(section "$4" .text)" "$(section "$4" .rodata .srodata)" \
    "$(section "$4" .data .sdata .bss .sbss .uninit)" $stack >>"$work/rows"
  tail -1 "$work/rows"
}

golden vectors.txt -- vectors
golden head-80-90.txt -- head
golden head-16-8.txt --features small --target-dir target/small -- head

# Soft-float binaries run on a core without an FPU, never the reverse.
run thumbv7em-none-eabihf mps2-an386 simloss-cortex-m "" golden/head-80-90.txt
run thumbv7em-none-eabihf mps2-an500 simloss-cortex-m "" golden/head-80-90.txt
run thumbv7m-none-eabi mps2-an385 simloss-cortex-m "" golden/head-80-90.txt
run thumbv6m-none-eabi mps2-an385 simloss-cortex-m "" golden/head-80-90.txt
run thumbv6m-none-eabi microbit simloss-cortex-m small golden/head-16-8.txt
run riscv32imac-unknown-none-elf virt simloss-riscv "" golden/head-80-90.txt

# absent ELF SYMBOL PATTERN : it links nothing of this pattern. Its entry, SYMBOL, must be found: a program whose symbols cannot
# be read links nothing that could be seen either.
absent() {
  local elf=$1 symbols=$work/symbols
  if ! readelf -sW "$elf" >"$symbols" || ! grep -qw "$2" "$symbols"; then
    fail "$elf has no symbol $2 that readelf shows: then its symbols say nothing"
  elif grep -iE "$3" "$symbols"; then
    fail "$elf links these, which it must not; objdump -d says who calls them"
  else
    return 0
  fi
  return 1
}

# These binaries format nothing and handle every error, so nothing may be left that panics, allocates or needs a double.
# memcpy and friends are the compiler's own.
checked=0
for target in thumbv7em-none-eabihf thumbv7m-none-eabi thumbv6m-none-eabi riscv32imac-unknown-none-elf; do
  for elf in target/head/"$target"/release/*-{cce,order,dense,sparse,proper}; do
    absent "$elf" main 'panic|unwrap_failed|_alloc|__rust|core.*fmt|__aeabi_d|df[23]$' && checked=$((checked + 1))
  done
done
echo "no panic, allocator or soft-double symbol in $checked programs of one optimizer and loss"

# The same of every public function of the core (tests/public.rs says that none is missing), with inputs of any size. Of
# doubles there are some: metrics are sums of 64.64 bits, reported as f64.
cargo build -q --release --locked -p simloss-everything --target thumbv7em-none-eabihf --target-dir target/head || exit 1
elf=target/head/thumbv7em-none-eabihf/release/simloss-everything
if absent "$elf" _start 'panic|unwrap_failed|expect_failed|slice.*fail|_alloc|__rust|core.*fmt'; then
  code=$(section "$elf" .text)
  [ "$code" -ge 300000 ] || fail "$elf has lost most of its code: then it says nothing"
  echo "no panic or allocator symbol in $code bytes of every public function"
fi

{ echo '['; sed '$!s/$/,/; s/^/  /' "$work/rows"; echo ']'; } >"$work/record"
if $overwrite; then
  mkdir -p "$(dirname $record)" && cp "$work/record" $record
elif ! diff -u $record "$work/record"; then
  fail "the cost differs from docs/records/firmware.json; tests/firmware/run.sh --overwrite accepts it"
fi
exit $status
