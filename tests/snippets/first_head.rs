//~ docs/microcontroller.md: #![no_std]
//- #![no_std] ... use core::panic
//- #[cortex_m_rt::entry] ... fn learn(
//- #[panic_handler] ...
// SNIPPET
fn main() {
    let _refused = learn(&mut [0.0; BUDGET.parameters]);
}
