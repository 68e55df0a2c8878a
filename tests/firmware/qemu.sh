# What the scripts of this folder share, which sources it from here: how firmware is built the same wherever the checkout
# lies, and how it runs.

export RUSTC_WRAPPER=$PWD/rustc.sh

# emulate TARGET BOARD ELF : runs it; instructions take 1 ns of the board's time, so that timers count them.
emulate() {
  case $1 in
    thumb*) set -- "$2" "$3" qemu-system-arm -semihosting-config enable=on,target=native ;;
    riscv32*) set -- "$2" "$3" qemu-system-riscv32 -bios none ;;
  esac
  local board=$1 elf=$2
  shift 2
  timeout 300 "$@" -M "$board" -nographic -icount shift=0 -kernel "$elf" </dev/null
}
