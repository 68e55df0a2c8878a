#!/usr/bin/env bash
# From the desktop to a device and back, which printed the same bits as the desktop.
#
#   story.sh wine    the network of the embedded table, whose sensors drift
#   story.sh faces IMAGES.tar CHECKPOINT    the published network for ages, whose camera gets less light
#   story.sh lenet   LeNet's frozen layers run with their weights in flash
#
# A head is exported, tuned on a Cortex-M4F in QEMU by cross entropy and by SimLoss, and imported again. The figures are
# compared with docs/records/story.json; `--overwrite`, as the last argument, accepts them as they are now.
set -euo pipefail
cd "$(dirname "$0")"
. ./qemu.sh

record=../../docs/records/story.json
folder=$PWD/target/story/$1
rm -rf "$folder"
mkdir -p "$folder"

# For the desktop, as ../run.sh builds it.
env -u RUSTC_WRAPPER cargo build -q --release --locked --manifest-path ../../Cargo.toml --workspace --bin simloss \
  --example story
built=${CARGO_TARGET_DIR:-../../target}/release
simloss() { "$built/simloss" "$@"; }
story() { "$built/examples/story" "$@"; }

# play FOLDER : the device prints what the desktop does, its slot goes to FOLDER/slot.bin.
play() {
  local target=thumbv7em-none-eabihf
  export SIMLOSS_STORY=$1
  cargo build -q --release --locked -p simloss-story --bin story-device --target $target --target-dir target/story
  cargo run -q --release --locked -p simloss-story --bin story-desktop --target-dir target/story >"$1/expected"
  emulate $target mps2-an386 target/story/$target/release/story-device >"$1/output"
  diff <(grep -v '^#' "$1/expected") <(grep -v '^#' "$1/output") >"$1/diff" ||
    { echo "the device's bits differ from the desktop's:"; head -5 "$1/diff"; return 1; }
  story slot "$1/output" "$1/slot.bin"
}

# tune HEAD R TRAINED,TUNED.. -- JUDGE.. : networks trained by one loss and tuned by one; `simloss eval JUDGE..
# before|after` says what came of them.
tune() {
  local name=${folder##*/} head=$1 r=$2 plays=() play trained tuned base to
  shift 2
  while [ "$1" != -- ]; do
    plays+=("$1")
    shift
  done
  shift
  for play in "${plays[@]}"; do
    trained=${play%,*} tuned=${play#*,}
    [ "$tuned" = cce ] && tuned="--loss cross-entropy" || tuned="--similarity order -r $r"
    # shellcheck disable=SC2086 # options
    simloss export --checkpoint "$folder/$trained.safetensors" --head "$head" $tuned --out "$folder/$play" >/dev/null
  done
  story "$name" "$folder" "${plays[@]}"
  for play in "${plays[@]}"; do
    base=$folder/${play%,*}.safetensors to=$folder/$play
    play "$to"
    simloss import --checkpoint "$to/slot.bin" --base "$base" --out "$to/adapted.safetensors" >/dev/null
    figures "$base" before "$@" >"$to/before.json"
    figures "$base" after "$@" >"$to/drifted.json"
    figures "$to/adapted.safetensors" after "$@" >"$to/adapted.json"
  done
  story tell "$name" "$folder" "${plays[@]}"
  story record "$name" "$folder" $record $overwrite
}

# figures MODEL before|after KIND ENDING OPTIONS.. : of samples of before or after the drift.
figures() {
  local model=$1 samples=$folder/$2$4 kind=$3
  shift 4
  simloss eval "$kind" "$samples" "$@" --checkpoint "$model" --json
}

overwrite=
[ "${!#}" = --overwrite ] && overwrite=--overwrite
case $1 in
  wine)
    simloss demo --seeds 1 -r 0.5 --out "$folder/demo" >/dev/null
    cp "$folder/demo/runs/cross-entropy/seed-1/model.safetensors" "$folder/cce.safetensors"
    cp "$folder/demo/runs/order-r0.5/seed-1/model.safetensors" "$folder/order.safetensors"
    tune 2 0.5 cce,cce cce,order order,order -- table .csv --label quality
    ;;
  faces)
    mkdir "$folder/images"
    tar -xf "$2" -C "$folder/images"
    cp "$3" "$folder/order.safetensors"
    tune 1 0.8 order,cce order,order -- age '' -r 0.8 --cache none
    rm -rf "$folder/images" "$folder/before" "$folder/after"
    ;;
  lenet)
    story lenet "$folder"
    simloss export --checkpoint "$folder/cce.safetensors" --head 1 --out "$folder/cce" >/dev/null
    play "$folder/cce"
    echo "LeNet, its weights in flash: $(grep -c ^features "$folder/cce/output") images have the desktop's features, and the head its parameters"
    ;;
esac
