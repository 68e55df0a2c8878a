#!/usr/bin/env bash
# rustc, for cargo's RUSTC_WRAPPER: crates of this repository get their name as `-C metadata`. Cargo's own value has the
# path of the checkout in it, by which the linker orders functions, so that sizes and costs moved with the path.
rustc=$1
shift
arguments=() name=
for argument in "$@"; do
  case $argument in
    simloss_* | simloss-* | accumulate_* | adam_* | head_* | store_* | momentum_* | sgd_* | story_* | vectors) [ "${previous:-}" = --crate-name ] && name=$argument ;;
    metadata=*) [ -n "$name" ] && argument=metadata=$name ;;
  esac
  arguments+=("$argument")
  previous=$argument
done
exec "$rustc" "${arguments[@]}"
