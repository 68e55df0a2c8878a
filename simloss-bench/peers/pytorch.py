"""Measures the speed of this project relative to PyTorch, on the CPU of this machine.

    pip install torch
    python3 simloss-bench/peers/pytorch.py > docs/records/peers-speed.json

Both do the same work in turn, and alternate which one starts a round: the loss and its gradient of 1,024 rows of logits on
one thread; one training step (forward pass, SimLoss, backward pass, Adam) of 1,024 images in memory on all cores. SimLoss
uses a class order with r = 0.8; in PyTorch it is the published formula, -ln(sum_c S[y, c] p_c + 1e-8). Each ratio belongs to
one round. Run it in the project's root, on an idle machine; it takes some minutes.
"""

import json
import os
import platform
import statistics
import subprocess
import sys
import time
import tomllib

import torch
from torch import nn
from torch.nn import functional

ROUNDS = 5
BATCH = 1024
OURS = ["cargo", "run", "--release", "--quiet", "--locked", "-p", "simloss-bench", "--bin", "throughput", "--", "--json"]
NAMES = {"cce": "cross entropy", "simloss": "SimLoss"}


def median_time(work, runs, warm_up):
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times[warm_up:])


def class_order(classes):
    i = torch.arange(classes, dtype=torch.float32)
    return 0.8 ** (i[:, None] - i).abs()


def published(logits, similarity, labels):
    p = logits.softmax(dim=1)
    return -(similarity[labels] * p).sum(dim=1).add(1e-8).log().mean()


def losses():
    """Seconds by task."""
    torch.set_num_threads(1)
    found = {}
    for classes in (10, 90, 96, 1000):
        logits = torch.randn(BATCH, classes, requires_grad=True)
        labels = torch.randint(classes, (BATCH,))
        similarity = class_order(classes)
        loss = {
            "cross entropy": lambda: functional.cross_entropy(logits, labels),
            "SimLoss": lambda: published(logits, similarity, labels),
        }
        for name, of in loss.items():

            def work():
                logits.grad = None
                of().backward()

            found[f"loss and gradient, {name}, {classes} classes"] = median_time(work, 80, 10)
    return found


def stage(channels_in, channels, kernel):
    return [nn.Conv2d(channels_in, channels, kernel), nn.ReLU()]


def dense(*widths):
    layers = [nn.Flatten()]
    for inputs, outputs in zip(widths, widths[1:]):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return layers[:-1]


def steps():
    """Seconds by task."""
    torch.set_num_threads(os.cpu_count())
    pool = nn.MaxPool2d(2)
    lenet = [*stage(3, 6, 5), pool, *stage(6, 16, 5), pool, *dense(400, 120, 84, 96)]
    agenet = [*stage(3, 20, 5), pool, *stage(20, 40, 7), pool, *stage(40, 80, 11), *dense(80, 120, 90)]
    found = {}
    for name, layers, side, classes, runs in (("agenet", agenet, 60, 90, 5), ("lenet", lenet, 32, 96, 15)):
        network = nn.Sequential(*layers)
        adam = torch.optim.Adam(network.parameters(), lr=1e-3)
        images, labels = torch.rand(BATCH, 3, side, side), torch.randint(classes, (BATCH,))
        similarity = class_order(classes)

        def work():
            adam.zero_grad()
            published(network(images), similarity, labels).backward()
            adam.step()

        found[f"training step, {name}"] = median_time(work, runs, 1)
    return found


def ours():
    found = {}
    for line in subprocess.run(OURS, check=True, capture_output=True, text=True).stdout.splitlines():
        row = json.loads(line)
        if row["bench"] == "loss":
            name = f"loss and gradient, {NAMES[row['loss']]}, {row['classes']} classes"
            found[name] = row["ns_per_logit"] * 1e-9 * row["batch"] * row["classes"]
        elif row["bench"] == "train":
            found[f"training step, {row['net']}"] = row["batch"] / row["images_per_s"]
    return found


def processor():
    with open("/proc/cpuinfo") as lines:
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def main():
    ours()  # builds, and warms up
    ratios = {}
    for i in range(ROUNDS):
        sides = [ours, lambda: losses() | steps()]
        own, other = [side() for side in sides] if i % 2 == 0 else [side() for side in sides[::-1]][::-1]
        for name, seconds in other.items():
            ratios.setdefault(name, []).append(seconds / own[name])
        print(f"round {i + 1} of {ROUNDS}", file=sys.stderr)
    with open("Cargo.toml", "rb") as manifest:
        version = tomllib.load(manifest)["workspace"]["package"]["version"]
    about = {"command": "python3 simloss-bench/peers/pytorch.py", "version": version, "pytorch": torch.__version__}
    print(json.dumps({**about, "processor": processor(), "cores": os.cpu_count(), "rounds": ROUNDS}))
    for name, found in ratios.items():
        row = {"what": name, "median": statistics.median(found), "min": min(found), "max": max(found)}
        print(json.dumps({key: round(value, 2) if key != "what" else value for key, value in row.items()}))


if __name__ == "__main__":
    main()
