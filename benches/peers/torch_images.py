#!/usr/bin/env python3
"""Runs a generator through Stylescope and through eager PyTorch: compares the images and times both.

    pip install numpy safetensors torch
    python3 benches/peers/torch_images.py target/debug/stylescope MODEL.safetensors [SEEDS [RUNS]]
    python3 benches/peers/torch_images.py --check FIXTURE.safetensors...

MODEL holds a StyleGAN2 skip or resnet generator or a StyleGAN under the official names, as `random_model.py` writes it. Both programs
start from the same `ws` and must give the same images (max|a-b| <= 1e-4 * max(1, max|b|)). The times are medians of RUNS (default 5), taken in
turn: a single image through PyTorch with two threads, in its usual layout and with channels last, and of ours what `program.py` says.
`--check` compares the networks, written here from the papers, with images of the reference implementations.
"""

import json
import math
import sys
import tempfile

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file

from program import Program, same_image
from training_step import Generator, dense, fir, lrelu

SQRT2 = math.sqrt(2)


class Resnet(Generator):
    """The residual generator of StyleGAN2; the rest is the skip generator's."""

    def synthesize(self, weights, ws, noise):
        x, index, half = weights["synthesis.b4.const"].expand(ws.shape[0], -1, -1, -1), 0, math.sqrt(0.5)
        for r in self.resolutions:
            name = f"synthesis.b{r}"
            if r > 4:
                weight = weights[f"{name}.skip.weight"]
                skip = fir(F.conv2d(x, weight * (half / math.sqrt(weight.shape[1]))), up=2, pad=(2, 1), gain=4)
                x = self.layer(weights, f"{name}.conv0", x, ws[:, index], True, noise)
                x = self.layer(weights, f"{name}.conv1", x, ws[:, index + 1], False, noise) * half + skip
                index += 2
            else:
                x = self.layer(weights, f"{name}.conv1", x, ws[:, index], False, noise)
                index += 1
        weight = weights[f"{name}.torgb.weight"]
        style = dense(weights, f"{name}.torgb.affine", ws[:, index]) / math.sqrt(weight.shape[1])
        return F.conv2d(x * style[:, :, None, None], weight, weights[f"{name}.torgb.bias"])


class StyleGan1:
    """The synthesis network of StyleGAN in the official order."""

    FUSED_FROM = 128

    def __init__(self, resolution):
        self.resolutions = [4 << i for i in range(int(math.log2(resolution)) - 1)]

    def up(self, x, weight, r):
        if r >= self.FUSED_FROM:
            w = F.pad(weight.transpose(0, 1), [1, 1, 1, 1])
            w = w[:, :, 1:, 1:] + w[:, :, :-1, 1:] + w[:, :, 1:, :-1] + w[:, :, :-1, :-1]
            x = F.conv_transpose2d(x, w, stride=2, padding=1)
        else:
            x = F.conv2d(F.interpolate(x, scale_factor=2, mode="nearest"), weight, padding=1)
        taps = torch.tensor([0.25, 0.5, 0.25])
        blur = torch.outer(taps, taps).expand(x.shape[1], 1, 3, 3)
        return F.conv2d(x, blur, padding=1, groups=x.shape[1])

    def synthesize(self, weights, ws, _noise):
        x, index = weights["synthesis.layer0.const"].expand(ws.shape[0], -1, -1, -1), 0
        for r in self.resolutions:
            for half in range(2):
                name = f"synthesis.layer{index}"
                if index > 0:
                    weight = weights[f"{name}.weight"]
                    weight = weight * (SQRT2 / math.sqrt(weight[0].numel()))
                    x = F.conv2d(x, weight, padding=1) if half else self.up(x, weight, r)
                strength = weights[f"{name}.apply_noise.weight"][:, None, None]
                x = lrelu(x + weights[f"{name}.apply_noise.noise"] * strength, weights[f"{name}.bias"], 1.0)
                x = F.instance_norm(x, eps=1e-8)
                style = dense(weights, f"{name}.style", ws[:, index])
                scale, shift = style.reshape(ws.shape[0], 2, -1, 1, 1).unbind(1)
                x = x * (scale + 1) + shift
                index += 1
        weight = weights[f"synthesis.output{len(self.resolutions) - 1}.weight"]
        return F.conv2d(x, weight / math.sqrt(weight.shape[1]), weights[f"synthesis.output{len(self.resolutions) - 1}.bias"])


def network(weights):
    """The network that the names of the weights describe."""
    if "synthesis.layer0.const" in weights:
        count = sum(name.startswith("synthesis.output") for name in weights) // 2
        return StyleGan1(4 << (count - 1))
    # Some files leave out the batch axis of the constant.
    resolution = max(int(name.split(".")[1][1:]) for name in weights if name.startswith("synthesis.b"))
    skip = "synthesis.b4.torgb.weight" in weights
    return (Generator if skip else Resnet)(resolution, 8)


@torch.inference_mode()
def check(paths):
    for path in paths:
        with safe_open(path, "pt") as file:
            arrays = {name: file.get_tensor(name) for name in file.keys()}
            kind = json.loads(file.metadata()["meta"])["kind"]
        official1 = kind == "stylegan1_official_port"
        prefix = "params.G." if official1 else "params."
        weights = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        ws, expected = ("in.wp", "out.img.wp") if official1 else ("in.ws.plus", "out.img.plus")
        image = network(weights).synthesize(weights, arrays[ws], "const")
        print(path, end=": ")
        same_image(image.numpy(), arrays[expected].numpy())


@torch.inference_mode()
def main():
    if sys.argv[1] == "--check":
        return check(sys.argv[2:])
    program, model = sys.argv[1:3]
    seeds = sys.argv[3] if len(sys.argv) > 3 else "0-1"
    runs = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    torch.set_num_threads(2)
    weights = load_file(model)
    last = {name: w.contiguous(memory_format=torch.channels_last) if w.ndim == 4 else w for name, w in weights.items()}
    generator = network(weights)
    with tempfile.TemporaryDirectory() as folder:
        ours = Program(program, model, folder)
        raw = ours.images(seeds)
        for ws, image in zip(raw["ws"], raw["image"]):
            same_image(generator.synthesize(weights, torch.from_numpy(ws)[None], "const")[0].numpy(), image)
        first = torch.from_numpy(raw["ws"][:1])
        peers = {
            f"PyTorch {torch.__version__}": lambda: generator.synthesize(weights, first, "const"),
            "PyTorch, channels last": lambda: generator.synthesize(last, first, "const"),
        }
        ours.compare(peers, runs)


if __name__ == "__main__":
    main()
