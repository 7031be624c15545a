#!/usr/bin/env python3
"""Runs a model through Stylescope and, exported to ONNX, through ONNX Runtime: compares the images and times both.

    pip install numpy safetensors onnx onnxruntime
    python3 benches/peers/onnx_runtime.py target/debug/stylescope MODEL [SEEDS [RUNS]]

Stylescope writes z, w, ws and images of SEEDS (default 0-3) with `generate --raw`; ONNX Runtime gets the same ws
(z, where there are no styles) and must give the same images (max|a-b| <= 1e-4 * max(1, max|b|)). The times are medians of RUNS (default 5), taken in turn:
a single image through ONNX Runtime, and of ours what `program.py` says. `cargo bench` has the stages.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import onnx
import onnxruntime

from program import Program, same_image


def main():
    program, model = sys.argv[1:3]
    seeds = sys.argv[3] if len(sys.argv) > 3 else "0-3"
    runs = int(sys.argv[4]) if len(sys.argv) > 4 else 5
    with tempfile.TemporaryDirectory() as folder:
        ours, exported = Program(program, model, folder), Path(folder) / "model.onnx"
        raw = ours.images(seeds)
        subprocess.run([program, "convert", model, str(exported)], check=True)
        onnx.checker.check_model(str(exported), full_check=True)

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(str(exported), options, providers=["CPUExecutionProvider"])
        # Networks without styles start from z.
        latent = "ws" if "ws" in {value.name for value in session.get_inputs()} else "z"
        for value, image in zip(raw[latent], raw["image"]):
            same_image(session.run(None, {latent: value[None]})[0][0], image)
        first = raw[latent][:1]
        name = f"ONNX Runtime {onnxruntime.__version__}"
        ours.compare({name: lambda: session.run(None, {latent: first})}, runs)


if __name__ == "__main__":
    main()
