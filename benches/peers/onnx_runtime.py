#!/usr/bin/env python3
"""Runs a model through Stylescope and, exported to ONNX, through ONNX Runtime: compares the images and times both.

    pip install numpy safetensors onnx onnxruntime
    python3 benches/peers/onnx_runtime.py target/debug/stylescope MODEL [SEEDS [RUNS]]

Stylescope writes z, w, ws and images of SEEDS (default 0-3) with `generate --raw`; ONNX Runtime gets the same ws
(z, where there are no styles) and must give the same images (max|a-b| <= 1e-4 * max(1, max|b|)). The times are medians of RUNS (default 5), taken in turn:
a single image through ONNX Runtime; and a tenth of what `generate` takes longer for eleven seeds than for one, so that
opening and preparing the model do not count, but mapping and writing the raw file do. `cargo bench` has the stages.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file


def main():
    program, model = sys.argv[1:3]
    seeds = sys.argv[3] if len(sys.argv) > 3 else "0-3"
    runs = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    with tempfile.TemporaryDirectory() as folder:
        raw, exported = Path(folder) / "raw.safetensors", Path(folder) / "model.onnx"
        generate = [program, "generate", "--model", model, "--seeds", seeds, "--noise", "const", "--device", "cpu"]
        subprocess.run([*generate, "--raw", str(raw)], check=True)
        subprocess.run([program, "convert", model, str(exported)], check=True)
        onnx.checker.check_model(str(exported), full_check=True)
        ours = load_file(raw)

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(exported), options, providers=["CPUExecutionProvider"])
        # Networks without styles start from z.
        latent = "ws" if "ws" in {value.name for value in session.get_inputs()} else "z"
        for value, image in zip(ours[latent], ours["image"]):
            theirs = session.run(None, {latent: value[None]})[0][0]
            error, bound = np.abs(theirs - image).max(), 1e-4 * max(1.0, np.abs(image).max())
            print(f"largest difference {error:.2e}, allowed {bound:.2e}")
            if not error <= bound:
                sys.exit("the images differ")

        def seconds(work):
            start = time.perf_counter()
            work()
            return time.perf_counter() - start

        def generate_seeds(last):
            words = [program, "generate", "--model", model, "--seeds", f"0-{last}", "--noise", "const", "--device", "cpu"]
            subprocess.run([*words, "--raw", str(raw)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        theirs, our_own, first = [], [], ours[latent][:1]
        for _ in range(runs):
            theirs.append(seconds(lambda: session.run(None, {latent: first})) * 1e3)
            one = seconds(lambda: generate_seeds(0))
            our_own.append((seconds(lambda: generate_seeds(10)) - one) / 10 * 1e3)
        theirs, our_own = statistics.median(theirs), statistics.median(our_own)
        print(f"ONNX Runtime {onnxruntime.__version__}: {theirs:.0f} ms an image (median of {runs})")
        print(f"Stylescope: {our_own:.0f} ms an image (median of {runs}), {theirs / our_own:.1f} times as fast")


if __name__ == "__main__":
    main()
