#!/usr/bin/env bash
# Builds the firmware, runs it under QEMU with a time limit, and compares its output with the golden file, which is what
# the host computes. `--overwrite` accepts the host's output as the new golden file.
set -uo pipefail
cd "$(dirname "$0")"

golden=golden/head.txt
host=$(cargo run -q --release --locked -p simloss-host) || exit 1
if [ "${1:-}" = --overwrite ]; then
  printf '%s\n' "$host" >$golden
fi
diff -u $golden <(printf '%s\n' "$host") || { echo "the host's bits differ from $golden"; exit 1; }
echo "host: bits of $golden"

status=0
# target, board: soft-float binaries run on a core without an FPU, never the reverse.
while read -r target board; do
  cargo build -q --release --locked -p simloss-cortex-m --target "$target" || exit 1
  for binary in head budget; do
    elf=target/$target/release/$binary
    output=$(timeout 120 qemu-system-arm -M "$board" -nographic -semihosting-config enable=on,target=native \
      -icount shift=0 -kernel "$elf" </dev/null)
    code=$?
    if [ $code -ne 0 ]; then
      echo "$target on $board: $binary ended with $code (124: time limit)"
      status=1
      continue
    fi
    case $binary in
      head) expected=$(cat $golden) ;;
      budget) expected=$(grep '^sgd simloss-order' $golden) ;;
    esac
    if diff -u <(printf '%s\n' "$expected") <(printf '%s\n' "$output" | grep -v '^#'); then
      instructions=$((16#$(printf '%s\n' "$output" | sed -n 's/^# .* //p')))
      text=$(arm-none-eabi-size "$elf" | awk 'NR == 2 { print $1 }')
      echo "$target on $board: $binary has the bits of $golden; last step $instructions instructions, text $text bytes"
    else
      status=1
    fi
  done
done <<'BOARDS'
thumbv7em-none-eabihf mps2-an386
thumbv7em-none-eabihf mps2-an500
thumbv7m-none-eabi mps2-an385
thumbv6m-none-eabi mps2-an385
BOARDS

# The budget binary formats nothing and handles every error, so nothing may be left that panics, allocates or needs a
# double. memcpy and friends are the compiler's own.
for target in thumbv7em-none-eabihf thumbv7m-none-eabi thumbv6m-none-eabi; do
  elf=target/$target/release/budget
  if found=$(arm-none-eabi-nm "$elf" | grep -iE 'panic|unwrap_failed|_alloc|__rust|core.*fmt|__aeabi_d(add|sub|mul|div)'); then
    echo "$elf links what it must not:"
    echo "$found"
    status=1
  else
    echo "$target: no panic, allocator or soft-double symbol in the budget binary"
  fi
done
exit $status
