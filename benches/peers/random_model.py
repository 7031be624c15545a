#!/usr/bin/env python3
"""Writes a generator with random weights as a state dict under the official names.

    python3 benches/peers/random_model.py RESOLUTION CHANNEL_BASE OUT.safetensors [skip|resnet|stylegan]

`skip` (the default) and `resnet` are StyleGAN2's. z and w have 512 dimensions, layers at most 512 channels: the papers' large networks;
StyleGAN's has a CHANNEL_BASE of 16384.
"""

import math
import sys

import numpy as np
from safetensors.numpy import save_file

rng = np.random.default_rng(1)
weights = {}


def normal(name, *shape, mean=0.0, scale=1.0):
    weights[name] = (mean + rng.standard_normal(shape) * scale).astype(np.float32)


def constant(name, value, *shape):
    weights[name] = np.full(shape, value, np.float32)


def stylegan2(channels, resnet):
    for i in range(8):
        normal(f"mapping.fc{i}.weight", 512, 512, scale=100.0)
        constant(f"mapping.fc{i}.bias", 0.0, 512)
    constant("mapping.w_avg", 0.0, 512)

    def layer(name, inside, outside, kernel):
        normal(f"{name}.weight", outside, inside, kernel, kernel)
        constant(f"{name}.bias", 0.0, outside)
        normal(f"{name}.affine.weight", inside, 512)
        constant(f"{name}.affine.bias", 1.0, inside)

    normal("synthesis.b4.const", channels[4], 4, 4)
    for r, outside in channels.items():
        inside = channels.get(r // 2, outside)
        if resnet and r > 4:
            normal(f"synthesis.b{r}.skip.weight", outside, inside, 1, 1)
        for conv in ["conv1"] if r == 4 else ["conv0", "conv1"]:
            name = f"synthesis.b{r}.{conv}"
            layer(name, inside if conv == "conv0" else outside, outside, 3)
            normal(f"{name}.noise_const", r, r)
            constant(f"{name}.noise_strength", 0.1)
        if not resnet or r == max(channels):
            layer(f"synthesis.b{r}.torgb", outside, 3, 1)


def stylegan(channels):
    for i in range(8):
        normal(f"mapping.dense{i}.weight", 512, 512, scale=100.0)
        constant(f"mapping.dense{i}.bias", 0.0, 512)
    constant("truncation.w_avg", 0.0, 512)
    # A channel that hardly varies would make its normalisation amplify rounding.
    normal("synthesis.layer0.const", 1, channels[4], 4, 4, mean=1.0, scale=0.5)
    for block, (r, outside) in enumerate(channels.items()):
        inside = channels.get(r // 2, outside)
        for half in range(2):
            name = f"synthesis.layer{2 * block + half}"
            if block + half > 0:
                normal(f"{name}.weight", outside, outside if half else inside, 3, 3)
            constant(f"{name}.bias", 0.1, outside)
            normal(f"{name}.apply_noise.weight", outside, mean=0.1, scale=0.3)
            normal(f"{name}.apply_noise.noise", 1, 1, r, r)
            normal(f"{name}.style.weight", 2 * outside, 512)
            constant(f"{name}.style.bias", 0.0, 2 * outside)
        normal(f"synthesis.output{block}.weight", 3, outside, 1, 1)
        constant(f"synthesis.output{block}.bias", 0.0, 3)


def main():
    resolution, channel_base, out = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    family = sys.argv[4] if len(sys.argv) > 4 else "skip"
    channels = {4 << i: min(channel_base // (4 << i), 512) for i in range(int(math.log2(resolution)) - 1)}
    if family == "stylegan":
        stylegan(channels)
    elif family in ("skip", "resnet"):
        stylegan2(channels, family == "resnet")
    else:
        sys.exit(f"{family} is no family of networks: skip, resnet or stylegan")
    save_file(weights, out)


if __name__ == "__main__":
    main()
