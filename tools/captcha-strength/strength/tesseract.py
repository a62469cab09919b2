"""Tesseract, the OCR engine that everybody tries first."""

import os
import subprocess
import tempfile
from pathlib import Path

from PIL import Image

from strength.service import Answers

_FORMS = ("untouched", "dark on light", "binarised", "no thin lines", "upscaled", "borders undone")
_MODES = {"line": "7", "word": "8"}  # Its page segmentation modes.


def read(forms: dict[str, list[Image.Image]], known: Answers) -> dict[str, list[str]]:
    """Read forms of the pictures as one line and as one word. Lengths are of no use to it."""
    whitelist = known.alphabet + known.alphabet.lower()
    readings = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in _FORMS:
            paths = [Path(folder) / f"{number}.png" for number in range(len(forms[name]))]
            for picture, path in zip(forms[name], paths, strict=True):
                picture.save(path, dpi=(300, 300))
            for mode, number in _MODES.items():
                readings[f"{name}, as a {mode}"] = _run(paths, number, whitelist)
    return readings


def _run(paths: list[Path], mode: str, whitelist: str) -> list[str]:
    """Read all pictures by one process; if it crashes or leaves one out, each by its own. A crash reads nothing."""
    listed = paths[0].with_name("list.txt")
    listed.write_text("".join(f"{path}\n" for path in paths))
    command = ["tesseract", str(listed), "stdout", "--psm", mode, "-c", f"tessedit_char_whitelist={whitelist}"]
    # The pictures are spread over processes, so one thread is enough for each.
    threads = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    answer = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600, env=threads)
    if answer.returncode > 0:
        # Not a crash, which version 5.3 has on some pictures (a division by zero), but a wrong installation.
        raise RuntimeError(f"tesseract: {answer.stderr.strip()}")
    pages = pages_of(answer.stdout)
    if answer.returncode == 0 and len(pages) == len(paths):
        return pages
    return [text for path in paths for text in _run([path], mode, whitelist)] if len(paths) > 1 else [""]


def pages_of(output: str) -> list[str]:
    """Split what Tesseract prints for a list of pictures: a form feed stands between pages, not after the last one."""
    return ["".join(page.split()) for page in output.split("\f")]
