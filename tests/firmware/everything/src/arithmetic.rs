//! Numbers, random numbers, labels, scales.

use crate::{Memory, Outcome, label, number, numbers, size};
use core::hint::black_box;
use simloss_core::{
    Label, Random, Scale,
    number::{
        BlockSum, FixedSum, GROUP, Job, Powers, Scalar, Terms, TwoFloat, Value, block_sum, block_sum_of, block_sums,
        scaled_exp, sum_of_squares, transpose,
    },
    standardise_into,
};

pub static ENTRIES: &[fn() -> super::Outcome] = &[labels, random, values, scalars, doubles, sums, two_floats, scales];

fn labels() -> Outcome {
    let y = label()?;
    black_box((Label::index(y), Label::classes(y), Label::of(y, size())?));
    Ok(())
}

fn random() -> Outcome {
    let mut random = Random::key(Random::new(size() as u64), size() as u64);
    black_box((Random::next_u64(&mut random), Random::below(&mut random, size())));
    black_box(Random::unit::<f32>(&mut random));
    let mut items = Memory::<u16>::of(1);
    Random::shuffle(&mut random, items.part());
    items.done();
    Ok(())
}

struct Work;

impl Job<f32> for Work {
    type Output = f32;

    fn run(self, (): ()) -> f32 {
        number()
    }
}

fn values() -> Outcome {
    let (a, b, mut memory, mut more) = (number(), number(), numbers(), numbers());
    black_box([<f32 as Value>::splat((), a), <f32 as Value>::load((), memory.part())]);
    Value::store(a, memory.part());
    black_box([Value::add(a, b), Value::sub(a, b), Value::mul(a, b), Value::div(a, b), Value::sqrt(a)]);
    black_box([
        Value::select_gt(a, b, a, b),
        Value::select_sign(a, a, b),
        Value::abs(a),
        Value::pow2(a),
        Value::exponent(a),
    ]);
    black_box([Value::lane(a, size()), Value::with_lane(a, size(), b), Value::max(a, b), Value::min(a, b)]);
    black_box(<f32 as Value>::from_scalars(memory.part()));
    black_box(<f32 as Value>::as_scalars(memory.part()));
    <f32 as Value>::transpose((), memory.part());
    black_box((<f32 as Value>::call((), Work), Job::run(Work, ()), Value::map(a, (), |x| x), Value::two_sum(a, b)));
    let rows = [more.part() as &[f32]; GROUP];
    transpose((), &rows, memory.part());
    memory.done();
    Ok(())
}

fn scalars() -> Outcome {
    black_box([<f32 as Scalar>::from_f32(number()), <f32 as Scalar>::from_f64(black_box(0.5))]);
    black_box([<f32 as Scalar>::from_usize(size()), Scalar::ln(number()), Scalar::log1p(number())]);
    black_box([Scalar::expm1(number()), Scalar::square_root(number()), scaled_exp((), number(), number())]);
    black_box((Scalar::to_f64(number()), Scalar::to_fixed(number()), Scalar::is_finite(number())));
    Ok(())
}

fn doubles() -> Outcome {
    let x = black_box(0.5f64);
    black_box([Scalar::ln(x), Scalar::log1p(x), Scalar::expm1(x), Scalar::square_root(x), scaled_exp((), x, x)]);
    black_box((Scalar::to_f64(x), Scalar::to_fixed(x), Scalar::is_finite(x)));
    Ok(())
}

struct Product;

impl Terms<f32, f32, f32, 2> for Product {
    fn of(&self, x: f32, y: f32) -> [f32; 2] {
        [x * y, x]
    }
}

fn sums() -> Outcome {
    let (mut a, mut b) = (numbers(), numbers());
    let mut sum = BlockSum::new(());
    BlockSum::add(&mut sum, [number(); 4]);
    BlockSum::add_one(&mut sum, number());
    BlockSum::add_where(&mut sum, number(), number(), number());
    black_box(BlockSum::total(sum));
    black_box(block_sums::<f32, _, _, 2>((), a.part(), b.part(), &Product));
    black_box(Terms::of(&Product, number(), number()));
    black_box([block_sum_of((), a.part()), sum_of_squares((), a.part()), block_sum((), size(), |_| number())]);
    let mut fixed = FixedSum::from_bits(black_box(1));
    FixedSum::add(&mut fixed, number());
    let other = black_box(fixed);
    FixedSum::merge(&mut fixed, &other);
    black_box((FixedSum::to_f64(fixed), FixedSum::to_bits(fixed)));
    Ok(())
}

fn two_floats() -> Outcome {
    let (a, b) = (TwoFloat::new(number()), TwoFloat::sum(number(), number()));
    black_box([TwoFloat::difference(number(), number()), TwoFloat::product(number(), number())]);
    black_box([TwoFloat::times(a, b), TwoFloat::over(a, b), TwoFloat::complement(a)]);
    for power in Powers::new(a).take(size()) {
        black_box(power);
    }
    Ok(())
}

fn scales() -> Outcome {
    let (mut x, mut y) = (numbers(), numbers());
    let (mut mean, mut deviation) = (Memory::<f64>::of(0.5), Memory::<f64>::of(0.5));
    standardise_into(x.part(), mean.part(), deviation.part(), y.part())?;
    let scale = Scale::<3>::new(&[f64::from(number()); 3], &[f64::from(number()); 3])?;
    Scale::scale_into(&scale, x.part(), y.part())?;
    y.done();
    Ok(())
}
