"""The losses of docs/pytorch.md against golden values, in float64 and float32.

    python tests/golden/pytorch_losses.py

runs the code blocks of that file as they stand there and prints the worst
errors. It needs torch.

The tolerance is the bound that docs/pytorch.md states: with u half the machine
epsilon and g the range of a sample's C logits, 4 u (1 + g + ln C) times the sum of
the sizes of the parts. A logarithm of a probability, of size g + ln C, is
rounded by u times that; its exponential has that relative error, and a part
has at most three of them as factors. For gradients, the sizes are `gradient_scale` of
proper-vectors.json, and p_k + q_k for SimLoss. For the proper loss, they are
at most the loss plus the scales of the classes other than the true one.
Numbers below the smallest normal number are forgiven.

Such a bound says nothing about digits where parts cancel. So the plain
relative error of the loss has a bound, too, in all cases but those of CANCELS.
"""

import json
import math
import re
from pathlib import Path

import torch
import torch.nn.functional as F

HERE = Path(__file__).resolve().parent
F64, F32 = torch.float64, torch.float32
FACTOR = 4

# Positions in proper-vectors.json of the samples that are almost certainly right: by gaps of 60 (0), 17 (7), 22 (15) and
# 126 (16), or with similarities of 1 - 2^-20 (8). Their losses are of second order in 1 - p_y and cancel. float32 has
# no digit of any, float64 none of 0 and 16.
CANCELS = {0, 7, 8, 15, 16}
# Confidently wrong within the group, by gaps of 50 and 601: the true gradients are 8e-24 and 1.5e-55, and cancel.
FADES = {1, 2}
# The worst relative errors in all others, of the loss and of the largest entry of the gradient. Found on x86-64:
# 1.9e-15 and 3e-12 in float64, 2.4e-7 and 7e-4 in float32.
RELATIVE = {F64: (1e-14, 1e-11), F32: (1e-6, 3e-3)}


def snippets():
    """The source of the functions in docs/pytorch.md, and the line that may replace `log_q = ..`."""
    text = (HERE / "../../docs/pytorch.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.S | re.M)
    source = "\n".join(block for block in blocks if "def " in block)
    (product,) = [block for block in blocks if block.startswith("    log_q = ")]
    (line,) = re.findall(r"^    log_q = .*\n", source, re.M)
    return source, source.replace(line, product)


def load(source):
    names = {}
    exec(compile(source, "docs/pytorch.md", "exec"), names)
    return names


def values(numbers, dtype=F64):
    return torch.tensor([float(x) for x in numbers], dtype=dtype)


class Worst:
    """The worst error of each quantity in units of its bound, which must be below 1."""

    def __init__(self):
        self.found = {}

    def hold(self, what, case, got, want, bound):
        bound = bound + torch.finfo(got.dtype).tiny
        error = ((got.double() - want).abs() / bound).max().item()
        assert error < 1, f"{what} of {case}: {got.tolist()} is not {want.tolist()}, by {error} bounds"
        self.found[what] = max(self.found.get(what, 0.0), error)


def unit(dtype, logits):
    size = (logits.amax(1) - logits.amin(1)).double() + math.log(logits.shape[1])
    return FACTOR * torch.finfo(dtype).eps / 2 * (1 + size)


def value_and_gradient(loss, logits):
    """The losses of a batch, and the gradient of their sum."""
    z = logits.clone().requires_grad_()
    value = loss(z)
    value.sum().backward()
    return value.detach(), z.grad


# ------------------------------------------------------------ proper SimLoss


def similarity(case, functions, dtype):
    count = case["classes"]
    i = torch.arange(count)
    apart = (i - i[:, None]).abs()
    if case["similarity"] == "order":
        return functions["class_order"](count, case["r"], dtype)
    if case["similarity"] == "circular":
        return torch.tensor(case["r"], dtype=F64).pow(torch.minimum(apart, count - apart)).to(dtype)
    if case["similarity"] == "superclass":
        group = i // case["group"]
        return torch.where(apart == 0, 1.0, case["r"] * (group == group[:, None]).to(F64)).to(dtype)
    return torch.tensor(case["matrix"], dtype=dtype)


def proper(functions, dtype, worst, suffix="", zeros=True):
    cases = json.loads((HERE / "proper-vectors.json").read_text())
    of_loss, of_gradient = 0.0, 0.0
    for position, case in enumerate(cases):
        matrix = similarity(case, functions, dtype)
        if not zeros and (matrix == 0).any():
            continue
        logits = torch.tensor([case["logits"]], dtype=dtype)
        target = torch.tensor([case["label"]])
        name = f"proper-vectors.json, {position}"
        loss, gradient = value_and_gradient(lambda z: functions["proper_simloss"](z, target, matrix), logits)
        want, scale = values(case["gradient"]), values(case["gradient_scale"])
        others = scale.index_fill(0, target, 0.0).sum()
        expected = values([case["loss"]])
        h = unit(dtype, logits)
        worst.hold("proper_simloss" + suffix, name, loss, expected, h * (expected + others))
        worst.hold("its gradient" + suffix, name, gradient[0], want, h * scale)
        if position not in CANCELS:
            of_loss = max(of_loss, ((loss.double() - expected).abs() / expected).item())
        if position not in CANCELS | FADES:
            of_gradient = max(of_gradient, ((gradient[0].double() - want).abs().max() / want.abs().max()).item())
    assert of_loss < RELATIVE[dtype][0] and of_gradient < RELATIVE[dtype][1], (dtype, of_loss, of_gradient)
    return of_loss, of_gradient


# ------------------------------------------------------------------- SimLoss


def simloss(functions, dtype, worst):
    """The cases of loss.json with labels and without smoothing."""
    relative, held = 0.0, 0
    for case in json.loads((HERE / "loss.json").read_text())["cases"]:
        if case["kind"] != "simloss" or case["labels"] is None or case["label_smoothing"] or case["expected"] is None:
            continue
        held += 1
        n, classes, labels = case["n"], case["classes"], case["labels"]
        kept = [i for i in range(n) if labels[i] is not None]
        target = torch.tensor([labels[i] for i in kept])
        logits = values(case["logits"], dtype).reshape(n, classes)[kept]
        exact = values(case["similarity"]).reshape(classes, classes)
        is_order = case["similarity_kind"] == "order"
        matrix = functions["class_order"](classes, case["r"], dtype) if is_order else exact.to(dtype)

        weight = torch.ones(len(kept), dtype=F64)
        if case["class_weights"]:
            weight *= values(case["class_weights"])[target]
        if case["sample_weights"]:
            weight *= values(case["sample_weights"])[kept]
        by = {"mean_by_weight": weight.sum(), "mean_by_count": len(kept)}.get(case["reduction"], 1.0)
        weight /= by

        weighted = weight.to(dtype)
        loss, gradient = value_and_gradient(lambda z: functions["simloss"](z, target, matrix) * weighted, logits)
        z = logits.double()
        scale = z.softmax(1) + (z + exact[target].log()).softmax(1)
        h = unit(dtype, logits)
        want = values(case["gradient"]).reshape(n, classes)[kept]
        worst.hold("gradient of simloss", case["name"], gradient, want, (h * weight)[:, None] * scale)
        if case["reduction"] == "none":
            expected = values(case["expected"])[kept]
        else:
            expected, loss, h = values([case["expected"]]), loss.sum()[None], h.max()
        worst.hold("simloss", case["name"], loss, expected, h * expected)
        error = (loss.double() - expected).abs() / expected
        relative = max(relative, error[expected > torch.finfo(dtype).tiny].max().item())
    assert held >= 10, f"only {held} cases of loss.json"
    return relative


# --------------------------------------------- what docs/pytorch.md says beside


def others(functions):
    """Squared EMD and SORD by loops; cross entropy and squared EMD as the ends of the proper loss."""
    generator = torch.Generator().manual_seed(20200303)
    logits = torch.randn((64, 7), generator=generator, dtype=F64) * 3
    target = torch.randint(0, 7, (64,), generator=generator)
    proper_simloss, class_order = functions["proper_simloss"], functions["class_order"]
    order = class_order(7, 0.8, F64)

    def each(loss):
        return torch.tensor([loss(p, y) for p, y in zip(logits.softmax(1).tolist(), target.tolist())], dtype=F64)

    def equal(got, want, relative, what):
        assert torch.allclose(got, want, rtol=relative, atol=0), f"{what}: {got} is not {want}"

    emd = each(lambda p, y: sum((sum(p[: c + 1]) - (c >= y)) ** 2 for c in range(7)))
    equal(functions["squared_emd"](logits, target), emd, 1e-12, "squared EMD")

    def soft(p, y):
        weights = [0.8 ** abs(c - y) for c in range(7)]
        return -sum(w / sum(weights) * torch.tensor(x, dtype=F64).log().item() for w, x in zip(weights, p))

    equal(functions["sord"](logits, target, order), each(soft), 1e-12, "SORD")

    identity = torch.eye(7, dtype=F64)
    entropy = F.cross_entropy(logits, target, reduction="none")
    for name in ("simloss", "proper_simloss"):
        equal(functions[name](logits, target, identity), entropy, 1e-12, f"{name} of the identity")
    r = 1 - 2.0**-14
    equal(proper_simloss(logits, target, class_order(7, r, F64)) / (2 * (1 - r)), emd, 1e-3, "r near 1")

    # Two groups, the true one without any probability that float32 holds: full gradients, no NaN.
    groups = torch.tensor([[1, 0.5, 0, 0], [0.5, 1, 0, 0], [0, 0, 1, 0.5], [0, 0, 0.5, 1]], dtype=F32)
    hopeless = torch.tensor([[-1000.0, -1001.0, 0.0, 1.0]])
    for name in ("simloss", "proper_simloss"):
        loss, gradient = value_and_gradient(lambda z: functions[name](z, torch.tensor([0]), groups), hopeless)
        assert 1000 < loss.item() < 1003, f"{name}: {loss}"
        by_group = gradient.reshape(2, 2).sum(1)
        assert torch.allclose(by_group, torch.tensor([-1.0, 1.0]), atol=1e-3), f"{name}: {gradient}"

    # The published formula, wrong by 25.
    z = torch.tensor([[0.0, 25.0]], dtype=F64)
    _, gradient = value_and_gradient(lambda z: -(z.softmax(1)[:, 0] + 1e-8).log(), z)
    assert abs(-gradient[0, 0].item() - 0.0014) < 5e-5, gradient


def main():
    source, with_product = snippets()
    functions = load(source)
    others(functions)
    for dtype in (F64, F32):
        worst = Worst()
        of_loss, of_gradient = proper(functions, dtype, worst)
        proper(load(with_product), dtype, worst, " by a product", zeros=False)
        of_simloss = simloss(functions, dtype, worst)
        print(f"{dtype}, worst errors in units of their bounds:")
        for what, error in worst.found.items():
            print(f"    {what}: {error:.2f}")
        print(f"  relative: simloss {of_simloss:.1e}, proper_simloss {of_loss:.1e}, its gradient {of_gradient:.1e}")


main()
