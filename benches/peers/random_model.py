#!/usr/bin/env python3
"""Writes a StyleGAN2 skip generator with random weights as a state dict under the official names.

    python3 benches/peers/random_model.py RESOLUTION CHANNEL_BASE OUT.safetensors

z and w have 512 dimensions, layers at most 512 channels: the papers' large networks.
"""

import math
import sys

import numpy as np
from safetensors.numpy import save_file


def main():
    resolution, channel_base, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    rng = np.random.default_rng(1)
    weights = {}

    def normal(name, *shape, scale=1.0):
        weights[name] = (rng.standard_normal(shape) * scale).astype(np.float32)

    def constant(name, value, *shape):
        weights[name] = np.full(shape, value, np.float32)

    for i in range(8):
        normal(f"mapping.fc{i}.weight", 512, 512, scale=100.0)
        constant(f"mapping.fc{i}.bias", 0.0, 512)
    constant("mapping.w_avg", 0.0, 512)

    def layer(name, inside, outside, kernel):
        normal(f"{name}.weight", outside, inside, kernel, kernel)
        constant(f"{name}.bias", 0.0, outside)
        normal(f"{name}.affine.weight", inside, 512)
        constant(f"{name}.affine.bias", 1.0, inside)

    channels = {4 << i: min(channel_base // (4 << i), 512) for i in range(int(math.log2(resolution)) - 1)}
    normal("synthesis.b4.const", channels[4], 4, 4)
    for r, outside in channels.items():
        inside = channels.get(r // 2, outside)
        for conv in ["conv1"] if r == 4 else ["conv0", "conv1"]:
            name = f"synthesis.b{r}.{conv}"
            layer(name, inside if conv == "conv0" else outside, outside, 3)
            normal(f"{name}.noise_const", r, r)
            constant(f"{name}.noise_strength", 0.1)
        layer(f"synthesis.b{r}.torgb", outside, 3, 1)
    save_file(weights, out)


if __name__ == "__main__":
    main()
