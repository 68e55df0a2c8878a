"""Golden values for the Rust tests, computed by PyTorch in float64.

    python tests/golden/generate.py

writes loss.json, layers.json, optimizers.json and metrics.json beside this
file. It needs `torch` and `numpy`; `mpmath` comes with torch. Every file
carries the versions of Python, torch and numpy that made it. Running it twice
gives the same bytes.

Conventions, common to all files:

* Arrays are flat and row-major; the sizes stand beside them.
* Every input (logits, weights, rates, r, ...) is a number that f32 represents
  exactly, unless an optimizer case says `"f32_exact": false`. The same values
  therefore judge f32 and f64. The other exception are the tables `similarity`
  of the kinds "order" and "circular": they are the f64 rounding of powers of
  r, and an f32 test builds its own table from r.
* Expected values are never -0.0.
* Nothing here is compared by eye. What a second formula, a second library or
  50-digit arithmetic can confirm is asserted while the files are made.
"""

import json
import platform
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import torch
import torch.nn.functional as F

HERE = Path(__file__).resolve().parent
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
mpmath.mp.dps = 50


# ---------------------------------------------------------------- plumbing


def f32(x):
    """The f32 nearest to x, as a Python float."""
    return float(np.float32(x))


def flat(tensor):
    """Row-major list of Python floats, without negative zeros."""
    return [x + 0.0 for x in torch.as_tensor(tensor).detach().reshape(-1).tolist()]


def grid(gen, shape, step, bound):
    """Uniform multiples of `step` (a power of two) in [-bound, bound]."""
    top = int(bound / step)
    return torch.randint(-top, top + 1, shape, generator=gen).to(torch.float64) * step


def normal_f32(gen, shape, scale=1.0):
    """Normal numbers, rounded to f32 but held in float64."""
    return (torch.randn(shape, generator=gen) * scale).float().double()


def close(got, want, relative, what):
    got, want = np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64)
    error = np.abs(got - want) - relative * (1.0 + np.abs(want))
    assert np.all(error <= 0), f"{what}: {got} is not {want}"


def write(name, seed, cases):
    """One field per line, so that a change of one value is a change of one line."""
    names = [case["name"] for case in cases]
    assert len(set(names)) == len(names), names
    head = {
        "made_by": "tests/golden/generate.py",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "seed": seed,
    }

    def dump(value):
        return json.dumps(value, separators=(",", ":"), allow_nan=False)

    lines = ["{"]
    lines += [f"{dump(k)}:{dump(v)}," for k, v in head.items()]
    lines += ['"cases":[']
    for i, case in enumerate(cases):
        fields = [f"{dump(k)}:{dump(v)}" for k, v in case.items()]
        lines += ["{" + ",\n".join(fields) + "}" + ("," if i + 1 < len(cases) else "")]
    lines += ["]", "}"]
    (HERE / name).write_text("\n".join(lines) + "\n", encoding="ascii")
    json.loads((HERE / name).read_text())


# -------------------------------------------------------------------- loss
#
#   l_i(y) = -ln sum_c S[y,c] p_c,  p = softmax(z_i);  cross entropy is S = I
#   L_i    = s_i sum_y w_y t'_iy l_i(y),  t' = (1 - eps) t + eps / C
#   mean_by_weight   sum L_i / sum s_i sum_y w_y t_iy      (t before smoothing)
#   mean_by_count    sum L_i / number of samples not ignored
#   sum              sum L_i
#   none             every L_i, 0 where ignored; its gradient is that of `sum`
#
# A mean whose divisor is 0 has no value: `expected` and `gradient` are null.


class Similarity:
    """S and D = 1 - S, each correctly rounded from exact fractions."""

    def __init__(self, kind, exact, r=None):
        self.kind, self.exact, self.r = kind, exact, r
        self.s = torch.tensor([[float(x) for x in row] for row in exact])
        self.d = torch.tensor([[float(1 - x) for x in row] for row in exact])


def order(classes, r):
    power = [Fraction(r) ** d for d in range(classes)]
    exact = [[power[abs(i - j)] for j in range(classes)] for i in range(classes)]
    return Similarity("order", exact, r)


def circular(classes, r):
    power = [Fraction(r) ** d for d in range(classes)]
    ring = range(classes)
    exact = [[power[min(abs(i - j), classes - abs(i - j))] for j in ring] for i in ring]
    return Similarity("circular", exact, r)


def identity(classes):
    exact = [[Fraction(int(i == j)) for j in range(classes)] for i in range(classes)]
    return Similarity("identity", exact)


def superclass(groups, within, across):
    def entry(i, j):
        return 1 if i == j else within if groups[i] == groups[j] else across

    ring = range(len(groups))
    exact = [[Fraction(entry(i, j)) for j in ring] for i in ring]
    return Similarity("superclass", exact)


def dense(gen, classes):
    """Asymmetric, ones on the diagonal, about a third of the others zero."""
    raw = torch.randint(1, 64, (classes, classes), generator=gen)
    keep = torch.rand((classes, classes), generator=gen) > 0.33
    keep[0, classes - 1], keep[classes - 1, 0] = False, True
    exact = (raw * keep).tolist()
    exact = [
        [Fraction(1) if i == j else Fraction(x, 64) for j, x in enumerate(row)]
        for i, row in enumerate(exact)
    ]
    assert any(x == 0 for row in exact for x in row)
    return Similarity("dense", exact)


def losses_per_class(z, sim):
    """n x C table of l_i(y), in the form that loses nothing at either end.

    l(y) = ln(1 + b/a) = logaddexp(0, ln b - ln a), where ln a and ln b are the
    logsumexp of z + ln S and z + ln D, each shifted by its own largest logit.
    """

    def log_sum(weights):
        usable = weights > 0
        shift = z.detach().masked_fill(~usable, -torch.inf).amax(1, keepdim=True)
        return torch.logsumexp(z - shift + weights.log(), 1), shift[:, 0]

    columns = []
    for y in range(z.shape[1]):
        ln_a, shift_a = log_sum(sim.s[y])
        ln_b, shift_b = log_sum(sim.d[y])
        gap = (shift_b - shift_a) + (ln_b - ln_a)
        columns.append(torch.logaddexp(torch.zeros_like(gap), gap))
    return torch.stack(columns, 1)


def check_against_50_digits(z, sim):
    """Every l_i(y) and its gradient p - q, as exact as float64 allows."""
    n, classes = z.shape
    leaf = z.clone().requires_grad_()
    table = losses_per_class(leaf, sim)
    for i in range(n):
        zi = [mpmath.mpf(x) for x in z[i].tolist()]
        e = [mpmath.exp(x - max(zi)) for x in zi]
        total = mpmath.fsum(e)
        for y in range(classes):
            row = [mpmath.mpf(x.numerator) / x.denominator for x in sim.exact[y]]
            a = mpmath.fsum(s * x for s, x in zip(row, e))
            b = mpmath.fsum((1 - s) * x for s, x in zip(row, e))
            want = mpmath.log1p(b / a)
            error = abs(mpmath.mpf(table[i, y].item()) - want)
            assert error <= 2e-14 * want + mpmath.mpf(10) ** -300, (i, y, error / want)
            (grad,) = torch.autograd.grad(table[i, y], leaf, retain_graph=True)
            for k in range(classes):
                p, q = e[k] / total, row[k] * e[k] / a
                # p - q without the cancellation, as D a - S b.
                exact = e[k] * ((1 - row[k]) * a - row[k] * b) / (total * a)
                error = abs(mpmath.mpf(grad[i, k].item()) - exact)
                assert error <= 2e-14 * (p + q) + mpmath.mpf(10) ** -300, (i, y, k)


def loss_case(
    name,
    kind,
    logits,
    reduction,
    sim=None,
    labels=None,
    soft=None,
    class_weights=None,
    sample_weights=None,
    eps=0.0,
):
    n, classes = logits.shape
    assert (labels is None) != (soft is None)
    assert (kind == "cce") == (sim is None)
    table = sim or identity(classes)
    assert torch.equal(logits, logits.float().double())

    kept = torch.tensor([y is not None for y in labels] if labels else [True] * n)
    if labels:
        target = torch.zeros(n, classes)
        for i, y in enumerate(labels):
            if y is not None:
                target[i, y] = 1.0
    else:
        target = soft
        assert torch.equal(soft.sum(1), torch.ones(n))
    w = torch.ones(classes) if class_weights is None else class_weights
    s = torch.ones(n) if sample_weights is None else sample_weights

    z = logits.clone().requires_grad_()
    smoothed = (1.0 - eps) * target + eps / classes
    per_sample = s * (w * smoothed * losses_per_class(z, table)).sum(1) * kept
    omega = {
        "mean_by_weight": (s * (w * target).sum(1) * kept).sum().item(),
        "mean_by_count": float(kept.sum()),
        "sum": 1.0,
        "none": 1.0,
    }[reduction]
    if omega == 0.0:
        expected = gradient = None
    else:
        value = per_sample / omega if reduction == "none" else per_sample.sum() / omega
        value.sum().backward()
        expected = flat(value) if reduction == "none" else value.item() + 0.0
        gradient = flat(z.grad)
        assert np.isfinite(gradient).all() and np.isfinite(expected).all()

    check_against_50_digits(logits, table)
    if table.kind == "identity" or table.r == 0.0:
        check_against_pytorch(
            logits, labels, soft, class_weights, sample_weights, eps, reduction, kept, expected, gradient
        )

    return {
        "name": name,
        "kind": kind,
        "n": n,
        "classes": classes,
        "logits": flat(logits),
        "similarity_kind": sim.kind if sim else None,
        "r": sim.r if sim else None,
        "similarity": flat(sim.s) if sim else None,
        "labels": labels,
        "soft_targets": None if soft is None else flat(soft),
        "class_weights": None if class_weights is None else flat(class_weights),
        "sample_weights": None if sample_weights is None else flat(sample_weights),
        "label_smoothing": eps,
        "reduction": reduction,
        "expected": expected,
        "gradient": gradient,
    }


def check_against_pytorch(
    logits, labels, soft, class_weights, sample_weights, eps, reduction, kept, expected, gradient
):
    """The same case through F.cross_entropy, as far as it can express it.

    PyTorch's mean is by weight for labels and by count for soft targets. It
    has no sample weights and not the other mean: these are put around its
    unreduced values. Its values are good to 1e-16 absolute, not relative,
    which is why they are the check and not the expectation.
    """
    z = logits.clone().requires_grad_()
    target = torch.tensor([-100 if y is None else y for y in labels]) if labels else soft
    options = {"weight": class_weights, "label_smoothing": eps}
    own_mean = "mean_by_weight" if labels else "mean_by_count"
    if expected is None:
        assert torch.isnan(F.cross_entropy(z, target, **options)), "PyTorch's 0/0"
        return
    if reduction == own_mean and sample_weights is None:
        value = F.cross_entropy(z, target, reduction="mean", **options)
    elif reduction in ("sum", "none") and sample_weights is None:
        value = F.cross_entropy(z, target, reduction=reduction, **options)
    else:
        s = torch.ones(len(logits)) if sample_weights is None else sample_weights
        w = torch.ones(logits.shape[1]) if class_weights is None else class_weights
        value = s * F.cross_entropy(z, target, reduction="none", **options)
        if reduction == "mean_by_count":
            value = value.sum() / kept.sum()
        elif reduction == "mean_by_weight":
            mass = w[target.clamp(min=0)] * kept if labels else (w * soft).sum(1)
            value = value.sum() / (s * mass).sum()
        elif reduction == "sum":
            value = value.sum()
    value.sum().backward()
    close(flat(value), np.atleast_1d(expected), 1e-14, "F.cross_entropy")
    close(flat(z.grad), gradient, 1e-14, "gradient of F.cross_entropy")


def soft_targets(gen, n, classes):
    """Distributions in 64ths that sum to exactly 1; some entries are 0."""
    rows = []
    for _ in range(n):
        cuts = torch.randint(0, 65, (classes - 1,), generator=gen).sort().values.tolist()
        rows.append([b - a for a, b in zip([0] + cuts, cuts + [64])])
    return torch.tensor(rows) / 64.0


def loss_cases(seed):
    gen = torch.Generator().manual_seed(seed)

    def z(n, classes):
        return grid(gen, (n, classes), 1 / 64, 4)

    def labels(n, classes, ignored=()):
        drawn = torch.randint(0, classes, (n,), generator=gen).tolist()
        return [None if i in ignored else y for i, y in enumerate(drawn)]

    def weights(count, zero=None):
        drawn = torch.randint(1, 33, (count,), generator=gen) / 16.0
        if zero is not None:
            drawn[zero] = 0.0
        return drawn

    r3, r8, smooth = f32(0.3), f32(0.8), f32(0.1)
    cases = []

    def add(*args, **kwargs):
        cases.append(loss_case(*args, **kwargs))

    # Cross entropy.
    add("cce_one_sample", "cce", z(1, 2), "mean_by_weight", labels=[1])
    add("cce_mean", "cce", z(4, 5), "mean_by_weight", labels=labels(4, 5))
    add(
        "cce_weights_smoothing_ignored_by_weight", "cce", z(7, 8), "mean_by_weight",
        labels=labels(7, 8, (0, 4)), class_weights=weights(8), eps=smooth,
    )
    add(
        "cce_weights_smoothing_ignored_by_count", "cce", z(7, 5), "mean_by_count",
        labels=labels(7, 5, (2, 6)), class_weights=weights(5), eps=0.125,
    )
    add(
        "cce_all_weights_ignored_by_weight", "cce", z(7, 3), "mean_by_weight",
        labels=labels(7, 3, (3,)), class_weights=weights(3), sample_weights=weights(7), eps=0.25,
    )
    add(
        "cce_soft_by_count", "cce", z(4, 3), "mean_by_count",
        soft=soft_targets(gen, 4, 3), class_weights=weights(3),
    )
    add(
        "cce_soft_smoothing_by_count", "cce", z(4, 8), "mean_by_count",
        soft=soft_targets(gen, 4, 8), eps=smooth,
    )
    add(
        "cce_soft_all_weights_by_weight", "cce", z(4, 3), "mean_by_weight",
        soft=soft_targets(gen, 4, 3), class_weights=weights(3), sample_weights=weights(4, 2), eps=0.125,
    )
    add("cce_none_ignored", "cce", z(4, 3), "none", labels=labels(4, 3, (1,)))
    add("cce_sum_sample_weights", "cce", z(4, 5), "sum", labels=labels(4, 5), sample_weights=weights(4, 0))
    add(
        "cce_hard", "cce",
        torch.tensor([
            [17.0, 0.0, 0.0],        # right by 17: 4.1e-8 each, where lse(z) - z gives 8 digits
            [0.0, 40.0, -3.0],       # wrong by 40
            [2.5, 2.5, 2.5],         # all equal
            [1000.5, 930.25, 990.0], # right, far from zero
            [0.0, 200.0, 199.5],     # wrong by 200, two winners
            [-1e4, 0.0, -5e3],       # wrong by 1e4
            [0.0, -70.0, -75.0],     # right by 70
        ]),
        "none", labels=[0] * 7,
    )  # fmt: skip

    # SimLoss, one similarity after another.
    shared_z, shared_y = z(4, 5), labels(4, 5)
    add("cce_shared_with_order_0", "cce", shared_z, "mean_by_weight", labels=shared_y)
    add("order_0_is_cce", "simloss", shared_z, "mean_by_weight", order(5, 0.0), labels=shared_y)
    assert cases[-1]["expected"] == cases[-2]["expected"]
    assert cases[-1]["gradient"] == cases[-2]["gradient"]
    add("order_03_one_sample", "simloss", z(1, 2), "mean_by_weight", order(2, r3), labels=[0])
    add(
        "order_03_ignored", "simloss", z(7, 8), "mean_by_weight", order(8, r3),
        labels=labels(7, 8, (1, 5)),
    )
    add(
        "order_08_everything_by_weight", "simloss", z(7, 8), "mean_by_weight", order(8, r8),
        labels=labels(7, 8, (6,)), class_weights=weights(8), sample_weights=weights(7), eps=smooth,
    )
    add(
        "order_08_smoothing_by_count", "simloss", z(4, 5), "mean_by_count", order(5, r8),
        labels=labels(4, 5, (0,)), eps=0.25,
    )
    add("order_075_none", "simloss", z(4, 3), "none", order(3, 0.75), labels=[0, 1, None, 2])
    add(
        "circular_0625", "simloss", z(7, 8), "mean_by_weight", circular(8, 0.625),
        labels=[7, 0, 3, 4, 6, 1, 2],
    )
    add("circular_03_sum", "simloss", z(4, 5), "sum", circular(5, r3), labels=[4, 0, 2, 1])
    add(
        "dense_class_weights", "simloss", z(7, 5), "mean_by_weight", dense(gen, 5),
        labels=labels(7, 5), class_weights=weights(5),
    )
    add(
        "dense_soft_by_count", "simloss", z(4, 8), "mean_by_count", dense(gen, 8),
        soft=soft_targets(gen, 4, 8),
    )
    add(
        "dense_soft_none", "simloss", z(7, 3), "none", dense(gen, 3),
        soft=soft_targets(gen, 7, 3), sample_weights=weights(7, 5),
    )
    add(
        "identity_weights", "simloss", z(4, 8), "mean_by_weight", identity(8),
        labels=labels(4, 8), class_weights=weights(8), sample_weights=weights(4),
    )
    add(
        "superclass", "simloss", z(7, 8), "mean_by_weight",
        superclass([0, 0, 1, 1, 1, 2, 2, 0], 0.5, 0.125), labels=labels(7, 8),
    )
    add(
        "superclass_sparse_soft_by_weight", "simloss", z(4, 5), "mean_by_weight",
        superclass([0, 1, 0, 1, 1], 0.75, 0),
        soft=soft_targets(gen, 4, 5), class_weights=weights(5, 3), eps=0.125,
    )

    # SimLoss where careless arithmetic shows.
    add(
        "order_08_hard", "simloss",
        torch.tensor([
            [17.0, 0, 0, 0, 0, 0, 0, 0],                   # right by 17
            [0.0, 0, 0, 0, 0, 0, 0, 40],                   # wrong by 40, at the far end
            [-1.25] * 8,                                   # all equal
            [1000, 1003.5, 998, 1001, 990, 999, 995, 992], # far from zero
            [0, -1e4, 5e3, 1e4, -5e3, 0, 7e3, -7e3],       # gaps of 1e4
            [75.0, 0, 1, 2, 3, 4, 5, 0],                   # right by 70
            [0, 80.0, 0, 0, 0, 0, 0, 0],                   # sure of the neighbor
        ]),
        "none", order(8, r8), labels=[0] * 7,
    )  # fmt: skip
    add(
        "sparse_hard", "simloss",
        torch.tensor([
            [0.0, 1.5, 60.0, 59.0, -3.0],      # no probability near the true class, more and more
            [-2.0, 0.5, 110.0, 110.0, 1.0],
            [0.0, -4.0, 150.0, 20.0, 149.25],
            [0.25, 0.0, 3.0, 300.0, -300.0],
            [0.0, -120.0, 1e4, 5e3, -1e4],
            [-90.0, 0.0, 0.5, -1.0, 1.0],      # the true class is out, its relative is not
            [0.0, -90.0, -91.0, -100.0, -95.0],# right by 90, partly on a relative
        ]),
        "none", superclass([0, 0, 1, 1, 1], 0.25, 0), labels=[0] * 7,
    )  # fmt: skip

    # Means over nothing.
    add("empty_all_ignored", "cce", z(4, 3), "mean_by_weight", labels=[None] * 4)
    add("empty_all_ignored_by_count", "simloss", z(1, 3), "mean_by_count", order(3, 0.5), labels=[None])
    add(
        "empty_zero_class_weight", "cce", z(4, 3), "mean_by_weight",
        labels=[1, 1, None, 1], class_weights=weights(3, 1),
    )
    return cases


# ------------------------------------------------------------------ layers
#
# Cases with "exact": true have inputs on so coarse a grid that every product
# and every partial sum, in any order, is representable in f32: comparison can
# be for equality. The others hold f32 numbers drawn from a normal.


class Layer:
    def __init__(self, kind, dims):
        self.kind, self.dims = kind, dims

    def parameter_shapes(self):
        d = self.dims
        if self.kind == "dense":
            return [(d["outputs"], d["inputs"]), (d["outputs"],)]
        if self.kind == "conv2d":
            k = d["kernel"]
            return [(d["out_channels"], d["in_channels"], k, k), (d["out_channels"],)]
        return []

    def forward(self, x, parameters):
        if self.kind == "dense":
            return F.linear(x.flatten(1), *parameters)
        if self.kind == "conv2d":
            return F.conv2d(x, *parameters)
        if self.kind == "max_pool2":
            return F.max_pool2d(x, 2)
        return F.relu(x)

    def describe(self):
        return {"kind": self.kind, **self.dims}


def linear(inputs, outputs):
    return Layer("dense", {"inputs": inputs, "outputs": outputs})


def conv(in_channels, out_channels, kernel, height, width):
    dims = {"in_channels": in_channels, "out_channels": out_channels, "kernel": kernel}
    return Layer("conv2d", {**dims, "height": height, "width": width})


def pool(channels, height, width):
    return Layer("max_pool2", {"channels": channels, "height": height, "width": width})


def relu(*shape):
    size = int(np.prod(shape))
    return Layer("relu", {"size": size})


def run(layers, x, parameters, dy, dtype):
    """Output, dx, parameter gradients and the values that meet a relu or a pool."""
    x = x.to(dtype, copy=True).requires_grad_()
    parameters = [p.to(dtype, copy=True).requires_grad_() for p in parameters]
    values, seen, rest = x, [], list(parameters)
    for layer in layers:
        mine = [rest.pop(0) for _ in layer.parameter_shapes()]
        seen.append((layer.kind, values.detach()))
        values = layer.forward(values, mine)
    y = values
    y.backward(dy.reshape(y.shape).to(dtype))
    return y.detach(), x.grad, [p.grad for p in parameters], seen


def layer_case(name, gen, layers, input_shape, draw, exact, x=None, margin=None):
    n = 3
    x = draw((n, *input_shape)) if x is None else x
    parameters = [draw(shape) for layer in layers for shape in layer.parameter_shapes()]
    with torch.no_grad():
        probe, rest = x, list(parameters)
        for layer in layers:
            probe = layer.forward(probe, [rest.pop(0) for _ in layer.parameter_shapes()])
    dy = draw(tuple(probe.shape))
    y, dx, dparameters, seen = run(layers, x, parameters, dy, torch.float64)

    for tensor in [x, dy, *parameters]:
        assert torch.equal(tensor, tensor.float().double())
    if exact:
        again = run(layers, x, parameters, dy, torch.float32)
        for a, b in zip([y, dx, *dparameters], [again[0], again[1], *again[2]]):
            assert torch.equal(a, b.double()), name
        check_headroom(layers, x, parameters, dy)
    if margin is not None:
        check_margins(seen, margin)
    for kind, values in seen:
        if kind == "max_pool2":
            check_lowest_index(values)

    single = len(layers) == 1
    case = {"name": name, "kind": layers[0].kind if single else "network", "exact": exact, "n": n}
    case["dims"] = layers[0].dims if single else None
    case["layers"] = None if single else [layer.describe() for layer in layers]
    case["input_shape"] = list(input_shape)
    case["output_shape"] = list(y.shape[1:])
    case["input"] = flat(x)
    case["parameters"] = [v for p in parameters for v in flat(p)]
    case["dy"] = flat(dy)
    case["output"] = flat(y)
    case["dx"] = flat(dx)
    case["dparameters"] = [v for p in dparameters for v in flat(p)]
    return case


def check_headroom(layers, x, parameters, dy):
    """No partial sum, in any order, leaves the 24 bits of f32.

    All inputs are multiples of `step`, so all sums are multiples of
    step^(weights met + 1). The same layers over absolute values, a pool replaced by
    the sum of its window and a relu by nothing, bound every partial sum.
    """
    tensors = [x, dy, *parameters]
    step = 1.0
    while any(torch.any(t % step != 0) for t in tensors):
        step /= 2
    linear_layers = sum(bool(layer.parameter_shapes()) for layer in layers)
    quantum = step ** (linear_layers + 1)
    value = x.abs().requires_grad_()
    leaves = [p.abs().requires_grad_() for p in parameters]
    start, rest, tops = value, list(leaves), []
    for layer in layers:
        mine = [rest.pop(0) for _ in layer.parameter_shapes()]
        if layer.kind == "max_pool2":
            value = 4 * F.avg_pool2d(value, 2)
        elif layer.kind != "relu":
            value = layer.forward(value, mine)
        value.retain_grad()
        tops.append(value)
    value.backward(dy.reshape(value.shape).abs())
    # Gradients with respect to values between layers are sums as well.
    sums = [*tops, *[t.grad for t in tops], start.grad, *[p.grad for p in leaves]]
    assert max(t.abs().max().item() for t in sums) < quantum * 2**24


def check_margins(seen, margin):
    """Roundings of f32 cannot change which side of a relu or which cell of a pool wins."""
    for kind, values in seen:
        if kind == "relu":
            assert values.abs().min() > margin
        if kind == "max_pool2":
            windows = windows_of(values)
            best = windows.sort(-1, descending=True).values
            tied_at_zero = best[..., 0] == 0  # only behind a relu, where both gradients end
            assert torch.all((best[..., 0] - best[..., 1] > margin) | tied_at_zero)


def windows_of(values):
    """n x C x H/2 x W/2 x 4, cells of a window in index order."""
    cells = values.unfold(2, 2, 2).unfold(3, 2, 2)
    return cells.reshape(*cells.shape[:4], 4)


def check_lowest_index(values):
    """Of equal cells the one with the lowest index receives the gradient."""
    leaf = values.clone().requires_grad_()
    F.max_pool2d(leaf, 2).sum().backward()
    windows = windows_of(values)
    first = (windows == windows.amax(-1, keepdim=True)).int().argmax(-1)
    assert torch.equal(windows_of(leaf.grad), F.one_hot(first, 4).to(torch.float64))


def layer_cases(seed):
    gen = torch.Generator().manual_seed(seed)

    def fine(shape):
        return grid(gen, shape, 1 / 8, 2)

    def coarse(shape):
        return grid(gen, shape, 1 / 2, 1)

    def normal(shape):
        return normal_f32(gen, shape)

    cases = []

    def add(name, layer, shape, **kwargs):
        cases.append(layer_case(name, gen, [layer], shape, fine, True, **kwargs))

    add("dense_1_1", linear(1, 1), (1,))
    add("dense_7_5", linear(7, 5), (7,))
    add("dense_19_3", linear(19, 3), (19,))
    cases.append(layer_case("dense_12_17_normal", gen, [linear(12, 17)], (12,), normal, False))

    add("conv_1_1_k1", conv(1, 1, 1, 3, 3), (1, 3, 3))
    add("conv_2_3_k3_5x7", conv(2, 3, 3, 5, 7), (2, 5, 7))
    add("conv_3_4_k5_8x6", conv(3, 4, 5, 8, 6), (3, 8, 6))
    add("conv_4_2_k2_3x5", conv(4, 2, 2, 3, 5), (4, 3, 5))
    add("conv_1_5_k3_one_output", conv(1, 5, 3, 3, 3), (1, 3, 3))
    add("conv_1_7_k3_wide", conv(1, 7, 3, 4, 15), (1, 4, 15))
    case = layer_case("conv_2_3_k3_normal", gen, [conv(2, 3, 3, 6, 5)], (2, 6, 5), normal, False)
    cases.append(case)

    add("pool_4x4", pool(1, 4, 4), (1, 4, 4))
    add("pool_odd_5x7", pool(2, 5, 7), (2, 5, 7))
    add("pool_odd_3x3", pool(2, 3, 3), (2, 3, 3))
    add("pool_negative_2x2", pool(3, 2, 2), (3, 2, 2), x=-1 - fine((3, 3, 2, 2)).abs())
    ties = grid(gen, (3, 2, 4, 6), 1, 1) - 1.0
    windows = windows_of(ties)
    tied = (windows == windows.amax(-1, keepdim=True)).sum(-1)
    first = windows.eq(windows.amax(-1, keepdim=True)).int().argmax(-1)
    assert set(tied.reshape(-1).tolist()) >= {1, 2, 3} and torch.any((tied > 1) & (first > 0))
    add("pool_ties", pool(2, 4, 6), (2, 4, 6), x=ties)

    with_zeros = grid(gen, (3, 11), 1 / 4, 1)
    assert torch.any(with_zeros == 0)
    add("relu_11", relu(11), (11,), x=with_zeros)
    add("relu_2x3x3", relu(2, 3, 3), (2, 3, 3))

    # conv -> relu -> pool -> conv -> relu -> dense -> relu -> dense
    network = [
        conv(2, 3, 3, 9, 10), relu(3, 7, 8), pool(3, 7, 8),
        conv(3, 4, 2, 3, 4), relu(4, 2, 3),
        linear(24, 6), relu(6), linear(6, 5),
    ]  # fmt: skip
    # Seeds of their own, chosen so that few units are dead and no margin is thin.
    gen.manual_seed(4)
    cases.append(layer_case("network_exact", gen, network, (2, 9, 10), coarse, True))
    gen.manual_seed(111)
    cases.append(layer_case("network_normal", gen, network, (2, 9, 10), normal, False, margin=1e-3))
    for case in cases[-2:]:
        live = np.count_nonzero(case["dparameters"]) / len(case["dparameters"])
        assert live > 0.9 and np.count_nonzero(case["dx"]) > 50, (case["name"], live)
    return cases


# -------------------------------------------------------------- optimizers
#
#   weight_decay is L2 (g + decay * p) except for adamw (p * (1 - rate * decay))
#   momentum   buf = mu * buf + g, the first buf = g;  p -= rate * buf
#   adam       p -= rate / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)

STEPS, WIDTH = 12, 8


def optimizer_gradients(gen):
    """A column per temper: what one gradient value does is seen alone."""
    g = grid(gen, (STEPS, WIDTH), 1 / 64, 2)
    g[:, 1] = 0.0                                    # never moves
    g[:, 2] = f32(1e-12)                             # far below Adam's eps
    g[:, 3] = 0.0
    g[3, 3] = 1e6                                    # one shock, then silence
    g[:, 4] = torch.tensor([1.0, -1.0] * (STEPS // 2))
    g[: STEPS // 2, 5] = 0.0                         # a late start
    g[:, 6] = 0.5                                    # constant
    g[:, 7] = 1e6 * torch.sign(g[:, 7] + 1 / 128)    # always huge
    g[5] = 0.0                                       # one step without any gradient
    return g


def own_step(kind, c, p, g, state, t):
    """The definitions above in numpy, for comparison."""
    if c["weight_decay"] and kind != "adamw":
        g = g + c["weight_decay"] * p
    if kind == "sgd":
        return p - c["rate"] * g
    if kind == "momentum":
        state["buf"] = g if t == 1 else c["momentum"] * state["buf"] + g
        return p - c["rate"] * state["buf"]
    if kind == "adamw":
        p = p * (1 - c["rate"] * c["weight_decay"])
    state["m"] = c["beta1"] * state.get("m", 0.0) + (1 - c["beta1"]) * g
    state["v"] = c["beta2"] * state.get("v", 0.0) + (1 - c["beta2"]) * g * g
    m = state["m"] / (1 - c["beta1"] ** t)
    v = state["v"] / (1 - c["beta2"] ** t)
    return p - c["rate"] * m / (np.sqrt(v) + c["eps"])


def optimizer_cases(seed):
    gen = torch.Generator().manual_seed(seed)
    start = grid(gen, (WIDTH,), 1 / 64, 2)
    start[start == 0] = 0.5
    gradients = optimizer_gradients(gen)
    assert torch.equal(gradients, gradients.float().double())

    def single(x):
        return None if x is None else f32(x)

    def case(name, kind, rate, momentum=None, weight_decay=0.0, betas=None, eps=None, rounded=True):
        beta1, beta2 = betas or (None, None)
        c = {
            "rate": rate, "momentum": momentum, "weight_decay": weight_decay,
            "beta1": beta1, "beta2": beta2, "eps": eps,
        }  # fmt: skip
        if rounded:
            c = {key: single(x) for key, x in c.items()}
        p = start.clone().requires_grad_()
        common = {"lr": c["rate"], "weight_decay": c["weight_decay"], "foreach": False}
        if kind in ("sgd", "momentum"):
            optimizer = torch.optim.SGD([p], momentum=c["momentum"] or 0.0, **common)
        else:
            make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind]
            optimizer = make([p], betas=(c["beta1"], c["beta2"]), eps=c["eps"], **common)
        expected, own, state = [], start.numpy().copy(), {}
        for t in range(STEPS):
            p.grad = gradients[t].clone()
            optimizer.step()
            own = own_step(kind, c, own, gradients[t].numpy(), state, t + 1)
            close(p.detach().numpy(), own, 1e-13, name)
            expected += flat(p)
        return {
            "name": name, "kind": kind, "f32_exact": all(x is None or x == f32(x) for x in c.values()),
            "steps": STEPS, "width": WIDTH, **c,
            "initial": flat(start), "gradients": flat(gradients), "expected": expected,
        }  # fmt: skip

    usual, tiny = (0.9, 0.999), 1e-8
    return [
        case("sgd", "sgd", 0.125),
        case("sgd_weight_decay", "sgd", 0.1, weight_decay=0.05),
        case("momentum", "momentum", 0.01, momentum=0.9),
        case("momentum_weight_decay", "momentum", 0.01, momentum=0.9, weight_decay=0.05),
        case("adam", "adam", 1e-3, betas=usual, eps=tiny),
        case("adam_decimal_defaults", "adam", 1e-3, betas=usual, eps=tiny, rounded=False),
        case("adam_large_rate", "adam", 0.1, betas=(0.75, 0.96875), eps=tiny),
        case("adam_weight_decay", "adam", 0.01, weight_decay=0.05, betas=usual, eps=tiny),
        case("adamw", "adamw", 0.01, weight_decay=0.05, betas=usual, eps=tiny),
    ]


# ----------------------------------------------------------------- metrics
#
# Probabilities are multiples of 1/4096 that sum to exactly 1.


def probabilities(gen, n, classes, sharpness):
    """Positive 4096ths, no two in a row equal, no half reached exactly: nothing ties."""
    rows = []
    while len(rows) < n:
        p = torch.softmax(sharpness * torch.randn(classes, generator=gen), 0)
        ticks = (p * 4096).round().clamp(min=1).to(torch.int64)
        ticks[ticks.argmax()] += 4096 - ticks.sum()
        if len(set(ticks.tolist())) == classes and 2048 not in ticks.cumsum(0):
            rows.append((ticks / 4096).tolist())
    return np.array(rows)


def kappa(confusion):
    """Quadratic weighted kappa in exact arithmetic; None where it is 0/0."""
    classes, total = len(confusion), int(confusion.sum())
    rows, columns = confusion.sum(1), confusion.sum(0)
    pairs = [(i, j) for i in range(classes) for j in range(classes)]
    seen = sum((i - j) ** 2 * int(confusion[i, j]) for i, j in pairs)
    chance = sum(Fraction((i - j) ** 2 * int(rows[i]) * int(columns[j]), total) for i, j in pairs)
    return None if chance == 0 else float(1 - seen / chance)


def metrics_case(name, p, labels, values, superclasses, similarity, cost, tied=False):
    """With `tied`, the largest p or the median may tie, exactly: the lowest class wins."""
    n, classes = p.shape
    y = np.array(labels)
    rows = np.arange(n)
    assert np.all(p.sum(1) == 1.0) and np.array_equal(p, p.astype(np.float32))

    ranked = np.sort(p, 1)[:, ::-1]
    best = p.argmax(1)
    assert tied or np.min(ranked[:, 0] - ranked[:, 1]) > 1e-6, "tie of the argmax"
    right = best == y
    rank = (p > p[rows, y][:, None]).sum(1)  # classes above the true one
    assert np.all((rank < 3) | (p[rows, y] < ranked[:, 2] - 1e-6)) and np.all(
        (rank >= 3) | (p[rows, y] > ranked[:, 3] + 1e-6)
    ), "tie of the third place"

    confusion = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(confusion, (y, best), 1)
    error = values[best] - values[y]
    group_right = superclasses[best] == superclasses[y]
    wrong = ~right
    one_hot = np.eye(classes)[y]

    top = ranked[:, 0]
    edges = np.linspace(0.0, 1.0, 16)
    assert np.all((np.abs(top[:, None] - edges[None]).min(1) > 1e-6) | (top == 1.0))
    ece = 0.0
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (top > low) & (top <= high)
        if inside.any():
            ece += inside.mean() * abs(right[inside].mean() - top[inside].mean())

    cdf = p.cumsum(1)
    assert tied or np.abs(cdf - 0.5).min() > 1e-6, "tie of the median"
    rps = ((cdf - one_hot.cumsum(1))[:, : classes - 1] ** 2).sum(1).mean()
    median = (cdf >= 0.5).argmax(1)

    def minimum_risk(table, tied=False):
        risk = p @ table  # risk[i, c] = sum_k p[i, k] table[k, c]
        ascending = np.sort(risk, 1)
        assert tied or np.min(ascending[:, 1] - ascending[:, 0]) > 1e-6, "tie of the risks"
        return risk.argmin(1)

    distance = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes))).astype(float)
    by_distance = minimum_risk(distance, tied)
    assert np.array_equal(by_distance, median)  # theory: |i - j| asks for the median

    nll = -np.log(p[rows, y]).mean() + 0.0
    brier = ((p - one_hot) ** 2).sum(1).mean()
    close(F.nll_loss(torch.from_numpy(p).log(), torch.from_numpy(y)).item(), nll, 1e-15, "NLL")
    both = F.mse_loss(torch.from_numpy(p), torch.from_numpy(one_hot)).item() * classes
    close(both, brier, 1e-15, "Brier")

    return {
        "name": name,
        "n": n,
        "classes": classes,
        "bins": 15,
        "probabilities": flat(p),
        "labels": y.tolist(),
        "class_values": flat(values),
        "superclasses": superclasses.tolist(),
        "similarity": flat(similarity),
        "cost": flat(cost),
        "expected": {
            "accuracy": float(right.mean()),
            "top3": float((rank < 3).mean()),
            "within1": float((np.abs(best - y) <= 1).mean()),
            "mae": float(np.abs(error).mean()),
            "mse": float((error**2).mean()),
            "qwk": kappa(confusion),
            "superclass_accuracy": float(group_right.mean()),
            "failed_superclass_accuracy": float(group_right[wrong].mean()) if wrong.any() else None,
            "mean_similarity": float(similarity[y, best].mean()),
            "nll": float(nll),
            "brier": float(brier),
            "ece": float(ece),
            "rps": float(rps),
            "confusion": confusion.reshape(-1).tolist(),
        },
        "decoded": {
            "argmax": best.tolist(),
            "expectation": flat(p @ values),
            "median": median.tolist(),
            "minimum_risk_distance": by_distance.tolist(),
            "minimum_risk_cost": minimum_risk(cost).tolist(),
        },
    }


def metrics_cases(seed):
    gen = torch.Generator().manual_seed(seed)
    classes = 7
    groups = np.array([0, 1, 0, 2, 1, 2, 0])
    steady, uneven = np.arange(3.0, 10.0), np.array([1.0, 2.0, 4.0, 7.5, 11.0, 16.0, 22.0])
    similarity = dense(gen, classes).s.numpy()
    ring = np.arange(classes)
    distance = np.subtract.outer(ring, ring)  # true minus predicted: positive is too low
    noise = torch.randint(0, 17, (classes, classes), generator=gen).numpy() / 16.0
    cost = np.where(distance > 0, 2.0, 1.0) * np.abs(distance) + noise
    np.fill_diagonal(cost, 0.0)
    assert not np.array_equal(cost, cost.T)

    def near(p, hit):
        """Labels: the argmax with chance `hit`, else a class drawn from its neighborhood."""
        best = p.argmax(1)
        lucky = torch.rand(len(p), generator=gen).numpy() < hit
        step = torch.randint(-3, 4, (len(p),), generator=gen).numpy()
        return np.where(lucky, best, (best + step).clip(0, classes - 1)).tolist()

    def case(name, p, labels, values, tied=False):
        return metrics_case(name, p, labels, values, groups, similarity, cost, tied)

    mixed = probabilities(gen, 41, classes, 1.5)
    main = case("mixed", mixed, near(mixed, 0.4), steady)
    vague = probabilities(gen, 13, classes, 0.4)
    sure = probabilities(gen, 9, classes, 2.0)
    sure[[2, 5]] = np.eye(classes)[[6, 0]]  # probability exactly 1: the last bin includes it
    only = probabilities(gen, 60, classes, 1.5)
    only = only[only.argmax(1) == 4][:5]
    halves = np.array([
        [4, 8, 2, 2, 8, 4, 4],   # largest: 1 and 4; half is reached exactly at 3
        [1, 1, 6, 8, 8, 5, 3],   # largest: 3 and 4; half is reached exactly at 3
        [9, 7, 0, 0, 1, 10, 5],  # half is reached exactly at 1, and stays there to 3
        [16, 0, 0, 0, 0, 0, 16], # half at 0; every class has the same risk of distance
    ]) / 32.0  # fmt: skip
    cases = [
        main,
        case("uneven_class_values", vague, near(vague, 0.2), uneven),
        case("all_right", sure, sure.argmax(1).tolist(), steady),
        case("one_class_only", only, [4] * len(only), steady),
        case("exact_ties", halves, [4, 3, 0, 0], uneven, tied=True),
    ]
    expected = main["expected"]
    chosen = main["decoded"]
    assert 0 < expected["failed_superclass_accuracy"] < 1 and 0.3 < expected["accuracy"] < 0.8
    assert chosen["argmax"] != chosen["median"] != chosen["minimum_risk_cost"]
    values = [v for k, v in expected.items() if k != "confusion"]
    assert len(set(values)) == len(values), "two metrics agree by accident"
    assert cases[2]["expected"]["failed_superclass_accuracy"] is None
    assert cases[2]["expected"]["qwk"] == 1.0 and cases[3]["expected"]["qwk"] is None
    return cases


def main():
    files = {
        "loss.json": (20200303, loss_cases),
        "layers.json": (20200304, layer_cases),
        "optimizers.json": (20200305, optimizer_cases),
        "metrics.json": (20200306, metrics_cases),
    }
    for name, (seed, make) in files.items():
        cases = make(seed)
        write(name, seed, cases)
        print(f"{name}: {len(cases)} cases, {(HERE / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
