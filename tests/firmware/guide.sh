#!/usr/bin/env bash
# The guide of docs/microcontroller.md, as it is printed: its files, its commands, and what it says they print.
# `--overwrite` writes what they print to the guide.
set -euo pipefail
cd "$(dirname "$0")"
guide=$PWD/../../docs/microcontroller.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$(cd ../.. && pwd)" "$work/simloss"

# block N : the N-th fenced block of the first section, without its indentation.
block() {
  awk -v n="$1" '/^## From the desktop/ { exit } /^ *```/ { if (open) { open = 0 } else { k++; open = 1; next } } open && k == n' "$guide" |
    sed 's/^   //'
}

block 1 | grep -v '^rustup ' >"$work/commands"
(cd "$work" && . ./commands >"$work/log" 2>&1) || { cat "$work/log"; exit 1; }
cd "$work/head"
mkdir -p .cargo
block 2 >.cargo/config.toml
block 3 >memory.x
block 4 >src/main.rs
cargo run -q --release >"$work/printed" || { cat "$work/printed"; echo "the program of the guide failed"; exit 1; }
lines=$(cat "$work/commands" .cargo/config.toml memory.x src/main.rs | wc -l)
[ "$lines" -le 40 ] || { echo "the guide has $lines lines, not 40 or fewer"; exit 1; }
if [ "${1:-}" = --overwrite ]; then
  awk -v from="$work/printed" '
    /<!-- guide -->/ { print; print "   ```text"; while ((getline line < from) > 0) print "   " line; print "   ```"; skip = 1 }
    /<!-- end -->/ && skip { skip = 0 }
    !skip' "$guide" >"$work/guide" && cp "$work/guide" "$guide"
fi
block 5 | diff - "$work/printed" || { echo "the guide prints something else"; exit 1; }
awk '{ sub(",", "", $4); if (NR > 1 && $4 >= last) rose = 1; last = $4 } END { exit NR < 3 || rose }' "$work/printed" ||
  { echo "the loss does not fall"; exit 1; }
echo "the guide prints what it says in $lines lines: $(tail -1 "$work/printed")"
