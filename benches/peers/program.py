"""Runs Stylescope for a comparison: images of seeds as raw values, and the time that an image takes."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Program:
    """A built program with one of its models; raw files go into `folder`."""

    def __init__(self, program, model, folder):
        self.words = [program, "generate", "--model", model, "--noise", "const", "--device", "cpu"]
        self.raw = Path(folder) / "raw.safetensors"

    def images(self, seeds):
        """z, w, ws and images of `seeds`."""
        subprocess.run([*self.words, "--seeds", seeds, "--raw", str(self.raw)], check=True)
        return load_file(self.raw)

    def image_ms(self):
        """A tenth of what eleven seeds take longer than one: opening and preparing the model do not count, mapping and the
        writing of the raw file do."""

        def generate(last):
            words = [*self.words, "--seeds", f"0-{last}", "--raw", str(self.raw)]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        one = seconds(lambda: generate(0))
        return (seconds(lambda: generate(10)) - one) / 10 * 1e3

    def compare(self, peers, runs):
        """Times the program and `peers` (name to a function that makes an image) in turn; prints medians and ratios."""
        theirs, our_own = {name: [] for name in peers}, []
        for _ in range(runs):
            for name, image in peers.items():
                theirs[name].append(seconds(image) * 1e3)
            our_own.append(self.image_ms())
        ours = statistics.median(our_own)
        print(f"Stylescope: {spread(our_own)} ms an image (median of {runs}, extremes)")
        for name, times in theirs.items():
            print(f"{name}: {spread(times)} ms an image; Stylescope is {statistics.median(times) / ours:.1f} times as fast")


def spread(times):
    return f"{statistics.median(times):.0f} ({min(times):.0f}-{max(times):.0f})"


def same_image(theirs, ours):
    """Ends the script unless `max|a-b| <= 1e-4 * max(1, max|b|)`."""
    error, bound = np.abs(theirs - ours).max(), 1e-4 * max(1.0, np.abs(ours).max())
    print(f"largest difference {error:.2e}, allowed {bound:.2e}")
    if not error <= bound:
        sys.exit("the images differ")
