"""Proper SimLoss and its gradient for the inputs in proper.json, computed anew from their definitions and written there.

    python tests/golden/proper.py

Needs mpmath 1.3. Logits, r and matrices are numbers of f32, and exact; `superclass` has runs of `group` classes, and 0
between them. `gradient_scale` is the gradient with all of its parts positive.
"""

import json
import pathlib

from mpmath import mp, mpf

# The smallest loss of the file is of second order in 1e-53: 110 digits cancel before the first that counts.
mp.dps = 500
FILE = pathlib.Path(__file__).with_name("proper.json")


def matrix(case):
    classes = case["classes"]
    if case["similarity"] == "dense":
        return [[mpf(s) for s in row] for row in case["matrix"]]
    r = mpf(case["r"])

    def entry(i, j):
        d = abs(i - j)
        if case["similarity"] == "order":
            return r**d
        if case["similarity"] == "circular":
            return r ** min(d, classes - d)
        assert case["similarity"] == "superclass"
        return mpf(1) if d == 0 else r if i // case["group"] == j // case["group"] else mpf(0)

    return [[entry(i, j) for j in range(classes)] for i in range(classes)]


def evaluate(case):
    s, y, k = matrix(case), case["label"], range(case["classes"])
    e = [mp.exp(mpf(z)) for z in case["logits"]]
    p = [x / sum(e) for x in e]
    q = [sum(s[c][j] * p[j] for j in k) for c in k]
    loss = -mp.log(q[y]) + 1 - sum(p[c] * s[y][c] / q[c] for c in k)
    u = [p[c] * s[y][c] / q[c] ** 2 for c in k]
    added = [1 + sum(u[c] * s[c][j] for c in k) for j in k]
    taken = [s[y][j] / q[y] + s[y][j] / q[j] for j in k]
    digits = lambda x: mp.nstr(x, 20)
    case["loss"] = digits(loss)
    case["gradient"] = [digits(p[j] * (added[j] - taken[j])) for j in k]
    case["gradient_scale"] = [digits(p[j] * (added[j] + taken[j])) for j in k]


cases = json.loads(FILE.read_text())
for case in cases:
    evaluate(case)
FILE.write_text(json.dumps(cases))
