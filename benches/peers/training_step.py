#!/usr/bin/env python3
"""Times the phases of a StyleGAN2 training step in eager PyTorch on the processor, beside `cargo bench --bench training`.

    python3 benches/peers/training_step.py [ROUNDS]
    python3 benches/peers/training_step.py --check FIXTURE.safetensors

The networks are skip generator and residual discriminator at 64x64, channel_base 4096, at most 512 channels, batch 8, written here from
the papers. `--check` compares losses and gradients with a fixture of the reference implementation (`train/loss_r16.safetensors`).
"""

import json
import math
import statistics
import sys
import time

import torch
import torch.nn.functional as F

SQRT2 = math.sqrt(2)
TAPS = [1.0, 3.0, 3.0, 1.0]


def lrelu(x, bias, gain=SQRT2):
    if bias is not None:
        x = x + bias.reshape([1, -1] + [1] * (x.ndim - 2))
    return F.leaky_relu(x, 0.2) * gain


def dense(weights, name, x, gain=1.0, bias_gain=1.0):
    weight = weights[f"{name}.weight"]
    return F.linear(x, weight * (gain / math.sqrt(weight.shape[1])), weights[f"{name}.bias"] * bias_gain)


def fir(x, up=1, down=1, pad=(0, 0), gain=1.0):
    """Insert zeros, pad, filter along both axes, decimate. The filter is symmetric."""
    n, c, h, w = x.shape
    if up > 1:
        x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, up - 1, 0, 0, 0, up - 1]).reshape(n, c, h * up, w * up)
    x = F.pad(x, [pad[0], pad[1], pad[0], pad[1]])
    taps = torch.tensor(TAPS, dtype=x.dtype) / sum(TAPS) * math.sqrt(gain)
    x = F.conv2d(x, taps.reshape(1, 1, 1, -1).expand(c, 1, 1, -1), groups=c, stride=(1, down))
    return F.conv2d(x, taps.reshape(1, 1, -1, 1).expand(c, 1, -1, 1), groups=c, stride=(down, 1))


class Generator:
    """`z -> image`, as a function of weights under the official names."""

    def __init__(self, resolution, layers):
        self.resolutions = [4 << i for i in range(int(math.log2(resolution)) - 1)]
        self.num_ws = 2 * len(self.resolutions)
        self.layers = layers

    def map(self, weights, z):
        x = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for i in range(self.layers):
            x = lrelu(dense(weights, f"mapping.fc{i}", x, 0.01, 0.01), None)
        return x

    def layer(self, weights, name, x, w, up, noise):
        weight = weights[f"{name}.weight"]
        style = dense(weights, f"{name}.affine", w)
        demodulation = (style.square() @ weight.square().sum([2, 3]).t() + 1e-8).rsqrt()
        x = x * style[:, :, None, None]
        if up:
            x = fir(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), pad=(1, 1), gain=4)
        else:
            x = F.conv2d(x, weight, padding=1)
        x = x * demodulation[:, :, None, None]
        strength = weights[f"{name}.noise_strength"]
        if noise == "const":
            x = x + weights[f"{name}.noise_const"] * strength
        else:
            x = x + torch.randn(x.shape[0], 1, *x.shape[2:]) * strength
        return lrelu(x, weights[f"{name}.bias"])

    def synthesize(self, weights, ws, noise):
        x = weights["synthesis.b4.const"].expand(ws.shape[0], -1, -1, -1)
        image, index = None, 0
        for r in self.resolutions:
            name = f"synthesis.b{r}"
            if r > 4:
                x = self.layer(weights, f"{name}.conv0", x, ws[:, index], True, noise)
                index += 1
            x = self.layer(weights, f"{name}.conv1", x, ws[:, index], False, noise)
            index += 1
            weight = weights[f"{name}.torgb.weight"]
            style = dense(weights, f"{name}.torgb.affine", ws[:, index]) / math.sqrt(weight.shape[1])
            rgb = F.conv2d(x * style[:, :, None, None], weight, weights[f"{name}.torgb.bias"])
            image = rgb if image is None else fir(image, up=2, pad=(2, 1), gain=4) + rgb
        return image

    def run(self, weights, z, noise="random", mix=None):
        ws = self.map(weights, z)[:, None].expand(-1, self.num_ws, -1)
        if mix is not None:
            other, cutoff = mix
            ws = torch.cat([ws[:, :cutoff], self.map(weights, other)[:, None].expand(-1, self.num_ws - cutoff, -1)], 1)
        ws = ws.contiguous()
        return self.synthesize(weights, ws, noise), ws


class Discriminator:
    """`image -> logit`."""

    def __init__(self, resolution):
        self.resolutions = [4 << i for i in range(int(math.log2(resolution)) - 1)]

    def conv(self, weights, name, x, down=False, gain=1.0):
        weight = weights[f"{name}.weight"]
        weight = weight / math.sqrt(weight[0].numel())
        if down:
            x = F.conv2d(fir(x, pad=(2, 2)), weight, stride=2)
        else:
            x = F.conv2d(x, weight, padding=weight.shape[2] // 2)
        return lrelu(x, weights[f"{name}.bias"], SQRT2 * gain)

    def run(self, weights, x):
        x = self.conv(weights, f"b{self.resolutions[-1]}.fromrgb", x)
        half = math.sqrt(0.5)
        for r in reversed(self.resolutions[1:]):
            weight = weights[f"b{r}.skip.weight"]
            skip = F.conv2d(fir(x, down=2, pad=(1, 1)), weight * (half / math.sqrt(weight.shape[1])))
            y = self.conv(weights, f"b{r}.conv0", x)
            x = self.conv(weights, f"b{r}.conv1", y, True, half) + skip
        n, c, h, w = x.shape
        group = min(4, n)
        y = x.reshape(group, n // group, c, h, w)
        y = ((y - y.mean(0)).square().mean(0) + 1e-8).sqrt().mean([1, 2, 3])
        x = torch.cat([x, y.repeat(group)[:, None, None, None].expand(-1, 1, h, w)], 1)
        x = self.conv(weights, "b4.conv", x).flatten(1)
        return dense(weights, "b4.out", lrelu(dense(weights, "b4.fc", x), None))


def generator_loss(g, d, gw, dw, z, noise="random", mix=None):
    image, _ = g.run(gw, z, noise, mix)
    return F.softplus(-d.run(dw, image)).mean()


def path_length(g, gw, z, y, mean, noise="random", mix=None):
    image, ws = g.run(gw, z, noise, mix)
    y = y / math.sqrt(image.shape[2] * image.shape[3])
    (gradient,) = torch.autograd.grad((image * y).sum(), ws, create_graph=True)
    lengths = gradient.square().sum(2).mean(1).sqrt()
    mean = mean + 0.01 * (lengths.mean() - mean)
    return (lengths - mean).square().mean() * 2


def discriminator_loss(g, d, gw, dw, z, real, noise="random", mix=None):
    with torch.no_grad():
        fake, _ = g.run(gw, z, noise, mix)
    # One after the other, so that only one graph is in memory.
    F.softplus(d.run(dw, fake)).mean().backward()
    F.softplus(-d.run(dw, real)).mean().backward()


def r1(d, dw, real, gamma):
    real = real.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(d.run(dw, real).sum(), real, create_graph=True)
    return gradient.square().sum([1, 2, 3]).mean() * (gamma / 2)


def parameters(weights, learns=lambda name: "noise_const" not in name and "w_avg" not in name and "filter" not in name):
    return {name: x.clone().requires_grad_(learns(name)) for name, x in weights.items()}


def fresh(resolution, base, most, z_dim, layers):
    """Random weights of both networks."""
    generator, discriminator = {}, {}

    def add(to, name, *shape):
        to[f"{name}.weight"] = torch.randn(shape)
        to[f"{name}.bias"] = torch.zeros(shape[0])

    channels = {4 << i: min(base // (4 << i), most) for i in range(int(math.log2(resolution)) - 1)}
    for i in range(layers):
        add(generator, f"mapping.fc{i}", z_dim, z_dim)
        generator[f"mapping.fc{i}.weight"] *= 100
    generator["synthesis.b4.const"] = torch.randn(1, channels[4], 4, 4)
    for r, c in channels.items():
        for conv in ["conv1"] if r == 4 else ["conv0", "conv1"]:
            name, inside = f"synthesis.b{r}.{conv}", channels[r // 2] if conv == "conv0" else c
            add(generator, name, c, inside, 3, 3)
            add(generator, f"{name}.affine", inside, z_dim)
            generator[f"{name}.affine.bias"] += 1
            generator[f"{name}.noise_strength"] = torch.zeros([])
        add(generator, f"synthesis.b{r}.torgb", 3, c, 1, 1)
        add(generator, f"synthesis.b{r}.torgb.affine", c, z_dim)
        generator[f"synthesis.b{r}.torgb.affine.bias"] += 1
        if r > 4:
            add(discriminator, f"b{r}.conv0", c, c, 3, 3)
            add(discriminator, f"b{r}.conv1", channels[r // 2], c, 3, 3)
            discriminator[f"b{r}.skip.weight"] = torch.randn(channels[r // 2], c, 1, 1)
    add(discriminator, f"b{resolution}.fromrgb", channels[resolution], 3, 1, 1)
    add(discriminator, "b4.conv", channels[4], channels[4] + 1, 3, 3)
    add(discriminator, "b4.fc", channels[4], channels[4] * 16)
    add(discriminator, "b4.out", 1, channels[4])
    return parameters(generator), parameters(discriminator)


def measure(rounds):
    torch.manual_seed(0)
    batch, resolution, z_dim = 8, 64, 512
    gw, dw = fresh(resolution, 4096, 512, z_dim, 8)
    g, d = Generator(resolution, 8), Discriminator(resolution)
    learn = lambda weights: [x for x in weights.values() if x.requires_grad]
    optimizers = {id(w): torch.optim.Adam(learn(w), 0.0025, (0.0, 0.99), 1e-8) for w in (gw, dw)}
    real = torch.rand(batch, 3, resolution, resolution) * 2 - 1
    times = {"generator": [], "path length": [], "discriminator": [], "R1": []}

    def phase(name, weights, loss):
        start = time.perf_counter(), time.process_time()
        other = dw if weights is gw else gw
        for x in other.values():
            x.requires_grad_(False)
        optimizers[id(weights)].zero_grad(set_to_none=True)
        value = loss()
        if value is not None:
            value.backward()
        for x in weights.values():
            if x.grad is not None:
                torch.nan_to_num(x.grad, nan=0, posinf=1e5, neginf=-1e5, out=x.grad)
        optimizers[id(weights)].step()
        for x in other.values():
            x.requires_grad_(True)
        times[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))

    def z(n=batch):
        return torch.randn(n, z_dim)

    for _ in range(rounds + 2):
        phase("generator", gw, lambda: generator_loss(g, d, gw, dw, z()))
        half = batch // 2
        phase("path length", gw, lambda: path_length(g, gw, z(half), torch.randn(half, 3, resolution, resolution), 0.0))
        phase("discriminator", dw, lambda: discriminator_loss(g, d, gw, dw, z(), real))
        phase("R1", dw, lambda: r1(d, dw, real, 0.1))
    print(f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads; 64x64, channel_base 4096, batch {batch}")
    totals = [[], []]
    for name, pairs in times.items():
        text = []
        for total, seconds in zip(totals, zip(*pairs[2:])):
            seconds = sorted(seconds)
            total.append(statistics.median(seconds) * 1e3)
            text.append(f"{total[-1]:8.1f} ({seconds[0] * 1e3:.1f}-{seconds[-1] * 1e3:.1f})")
        print(f"  {name:14} {text[0]:>28} ms by the clock, {text[1]:>28} ms processor time")
    for what, (g, path, d, penalty) in zip(["by the clock", "processor"], totals):
        print(f"  {what}: a step {g + d:.0f} ms, with both regularisers {g + path + d + penalty:.0f} ms")


def check(path):
    """Every gradient of every phase, relative to its largest value."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        meta = json.loads(file.metadata()["meta"])
        arrays = {name: file.get_tensor(name).float() for name in file.keys()}

    def part(prefix):
        return parameters({name[len(prefix):]: x for name, x in arrays.items() if name.startswith(prefix)})

    gw, dw, z, real = part("params.G."), part("params.D."), arrays["in.z"], arrays["in.real"]
    layers = sum(name.startswith("mapping.fc") and name.endswith("weight") for name in gw)
    g, d = Generator(real.shape[2], layers), Discriminator(real.shape[2])
    y = arrays["in.Greg.randn_like.0"]
    phases = {
        "Gmain": (gw, lambda: generator_loss(g, d, gw, dw, z, "const")),
        "Greg": (gw, lambda: path_length(g, gw, z[: len(y)], y, 0.0, "const")),
        "Dmain": (dw, lambda: discriminator_loss(g, d, gw, dw, z, real, "const")),
        "Dreg": (dw, lambda: r1(d, dw, real, meta["r1_gamma"])),
    }
    worst = 0.0
    for phase, (weights, loss) in phases.items():
        for x in [*gw.values(), *dw.values()]:
            x.grad = None
        value = loss()
        if value is not None:
            value.backward()
        gain, compared = meta["phases"][phase]["gain"], 0
        for name, x in weights.items():
            expected = arrays.get(f"out.{phase}.grad.{name}")
            if expected is None or x.grad is None:
                continue
            scale = max(expected.abs().max().item(), 1e-30)
            worst = max(worst, (x.grad * gain - expected).abs().max().item() / scale)
            compared += 1
        assert compared > 10, f"{phase}: {compared} gradients compared"
    print(f"{path}: gradients differ by {worst:.1e} of their largest value at most")
    assert worst < 1e-3


if __name__ == "__main__":
    if "--check" in sys.argv:
        check(sys.argv[-1])
    else:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
