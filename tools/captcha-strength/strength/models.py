"""Neural readers whose weights come inside packages: they run offline, and attackers take them first."""

import importlib
import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from strength.decoding import Scores, greedy, of_length, spellings
from strength.service import Answers

Array = NDArray[np.float32]
_FORMS = (
    "untouched",
    "inverted",
    "dark on light",
    "blurred",
    "median",
    "binarised",
    "no thin lines",
    "edges",
    "borders undone",
    "lines alone",
    "letters filled",
    "patches and letters filled",
)
# For a model that needs its time.
_SLOW_FORMS = ("untouched", "dark on light", "edges", "lines alone", "letters filled")


@dataclass(frozen=True)
class Model:
    """A CTC model: how a picture is fed to it, and what its classes mean."""

    session: onnxruntime.InferenceSession
    labels: list[str]
    blank: int
    fed: Callable[[Image.Image], Array]
    probabilities: bool = False  # Else it answers their logarithms, but for a constant in each column.
    forms: tuple[str, ...] = _FORMS

    def scores(self, picture: Image.Image) -> Scores:
        """Run the model on one picture."""
        answer = self.session.run(None, {self.session.get_inputs()[0].name: self.fed(picture)[None]})[0]
        scores = answer.reshape(-1, answer.shape[-1])
        return np.log(scores + 1e-9) if self.probabilities else scores

    def read(self, forms: dict[str, list[Image.Image]], known: Answers) -> dict[str, list[str]]:
        """Read forms of the pictures, decoded as the model's package does, and with what an attacker knows."""
        readings: dict[str, list[str]] = {}
        for name in self.forms:
            scores = [self.scores(picture) for picture in forms[name]]
            readings[name] = [greedy(each, self.labels, self.blank) for each in scores]
            readings[f"{name}, length known"] = [self.decoded(each, known) for each in scores]
        return readings

    def decoded(self, scores: Scores, known: Answers) -> str:
        """Find the best text of the alphabet that has one of the lengths."""
        spelt = _spellings(tuple(self.labels), known.alphabet)
        return "".join(known.alphabet[index] for index in of_length(scores, self.blank, spelt, known.lengths))


def ddddocr(*, beta: bool) -> Model:
    """Load one of the two text models of ``ddddocr``; the other one is its default."""
    engine = importlib.import_module("ddddocr.core").OCREngine(beta=beta)
    path = _file("ddddocr", "common.onnx" if beta else "common_old.onnx")
    return Model(_session(path), engine.get_charset(), 0, lambda picture: _tensor(picture.convert("L"), 64, None) / 255)


def svtrv2() -> Model:
    """Load SVTRv2 (Du et al. 2024), fine-tuned on captchas and scene text, from ``azcrawlerpy-recaptcha-text``.

    It wants one of four sizes, chosen by the ratio of the picture's sides (the paper's rule; the package's own chooser
    gains 0.3 points).
    """
    sizes = ((64, 64), (48, 96), (40, 112), (32, 128))

    def fed(picture: Image.Image) -> Array:
        ratio = min(4, max(1, round(picture.width / picture.height)))
        return _tensor(picture.convert("RGB"), *sizes[ratio - 1]) / 127.5 - 1

    labels = ["", *string.digits, *string.ascii_letters, *string.punctuation]
    path = _file("azcrawlerpy_recaptcha_text", "svtrv2.onnx")
    return Model(_session(path), labels, 0, fed, probabilities=True, forms=_SLOW_FORMS)


def whisperer() -> Model:
    """Load the small captcha model of ``captcha-whisperer``; it takes blue, green and red from 0 to 255."""
    path = _file("captcha_whisperer", "models/captcha_crnn.onnx")
    labels = [*string.digits, *string.ascii_uppercase, ""]
    return Model(_session(path), labels, 36, lambda picture: _tensor(picture.convert("RGB"), 60, 160)[::-1].copy())


def paddle() -> Model:
    """Load the recogniser of PaddleOCR (PP-OCRv4) out of ``rapidocr-onnxruntime``; blue, green and red from -1 to 1."""
    session = _session(_file("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx"))
    labels = ["", *session.get_modelmeta().custom_metadata_map["character"].splitlines(), " "]

    def fed(picture: Image.Image) -> Array:
        return _tensor(picture.convert("RGB"), 48, None)[::-1] / 127.5 - 1

    return Model(session, labels, 0, fed, probabilities=True)


@cache
def _spellings(labels: tuple[str, ...], alphabet: str) -> list[list[int]]:
    return spellings(labels, alphabet)


def _file(package: str, name: str) -> Path:
    """Find a file of a package without importing the package."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / name


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # The pictures are spread over processes instead.
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _tensor(picture: Image.Image, height: int, width: int | None) -> Array:
    """Scale to a size, or to a height, and put the channels first."""
    scaled = picture.resize((width or round(picture.width * height / picture.height), height), Image.Resampling.BICUBIC)
    values = np.asarray(scaled, dtype=np.float32)
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)
