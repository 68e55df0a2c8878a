"""Models that are exported to PyTorch: what it computes with them.

    python tests/golden/exported.py               writes exported.json beside this file
    python tests/golden/exported.py check FILE    loads FILE and prints its probabilities as JSON
    python tests/golden/exported.py write FILE    saves the table network with save_file

It needs torch, numpy and safetensors (`pip install torch numpy safetensors`).
Parameters and images follow from formulas, so that nothing large is stored:
parameter i is ((7919 i) mod 2003 - 1001) / 2^13, byte i of an image is (31 i)
mod 256, feature i of a table is (i mod 7) / 4. Computed in float64.
"""

import json
import pathlib
import sys

import numpy as np
import safetensors.torch
import torch
from torch import nn


class Network(nn.Module):
    """Convolutions with relu and, but for the third, pooling; dense layers with relu between them."""

    def __init__(self, convolutions, dense):
        super().__init__()
        self.convolutions, self.layers = len(convolutions), len(dense) - 1
        for n, (channels, outputs, kernel) in enumerate(convolutions, 1):
            setattr(self, f"conv{n}", nn.Conv2d(channels, outputs, kernel))
        for n, (inputs, outputs) in enumerate(zip(dense, dense[1:]), 1):
            setattr(self, f"dense{n}", nn.Linear(inputs, outputs))

    def forward(self, x):
        for n in range(1, self.convolutions + 1):
            x = torch.relu(getattr(self, f"conv{n}")(x))
            if n < 3:
                x = torch.max_pool2d(x, 2)
        x = x.flatten(1)
        for n in range(1, self.layers + 1):
            x = getattr(self, f"dense{n}")(x)
            if n < self.layers:
                x = torch.relu(x)
        return x


NETWORKS = {
    "lenet": (lambda: Network([(3, 6, 5), (6, 16, 5)], [400, 120, 84, 10]), (3, 32, 32)),
    "ages": (lambda: Network([(3, 20, 5), (20, 40, 7), (40, 80, 11)], [80, 120, 6]), (3, 60, 60)),
    "table": (lambda: Network([], [5, 4, 3]), (5,)),
}


def features(shape):
    count = int(np.prod(shape))
    i = np.arange(count)
    numbers = (i * 31 % 256).astype(np.float32) / np.float32(255) if len(shape) == 3 else (i % 7 / 4).astype(np.float32)
    return torch.tensor(numbers.reshape((1, *shape)).astype(np.float64))


def fill(network):
    """The parameters by their formula, in the order of state_dict: layer by layer, weight, then bias."""
    first = 0
    for tensor in network.state_dict().values():
        i = np.arange(first, first + tensor.numel(), dtype=np.int64)
        tensor.copy_(torch.tensor(((i * 7919 % 2003) - 1001) / 2**13).reshape(tensor.shape))
        first += tensor.numel()
    return network


def probabilities(network, shape):
    with torch.no_grad():
        return torch.softmax(network.double()(features(shape)), dim=1)[0].tolist()


def main(arguments):
    if not arguments:
        golden = {"torch": torch.__version__}
        for name, (build, shape) in NETWORKS.items():
            golden[name] = probabilities(fill(build()), shape)
        path = pathlib.Path(__file__).with_name("exported.json")
        path.write_text(json.dumps(golden, indent=1) + "\n")
    elif arguments[0] == "write":
        network = fill(NETWORKS["table"][0]())
        safetensors.torch.save_file(network.state_dict(), arguments[1])
    else:
        tensors = safetensors.torch.load_file(arguments[1])
        for build, shape in NETWORKS.values():
            network = build()
            if network.state_dict().keys() == tensors.keys():
                network.load_state_dict(tensors, strict=True)
                print(json.dumps(probabilities(network, shape)))


main(sys.argv[1:])
