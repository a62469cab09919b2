"""What callers of the captcha service send and get."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel

from captcha_service.captchas import CLASSIC_ID
from captcha_service.clips import Language
from captcha_service.questions import Content


class CaptchaRequest(BaseModel):
    """Nothing has to be said to get a captcha to look at or to listen to; ``pow`` is a proof of work."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["picture", "pow"] = "picture"


class IssuedPicture(BaseModel):
    """A captcha and where it is seen and heard; ``content`` says whether to copy a text or to work out a sum.

    ``expires_in`` is in seconds.
    """

    id: str
    kind: Literal["picture"]
    content: Content
    image_url: str
    audio_url: str
    expires_in: int


class WorkChallenge(BaseModel):
    """Count from 0 until SHA-256 of ``{id}:{n}``, in hexadecimal, is the target; n is below ``numbers``."""

    algorithm: Literal["SHA-256"]
    target: str = Field(pattern="^[0-9a-f]{64}$")
    numbers: int


class IssuedWork(BaseModel):
    """A captcha for a device: the number that it finds, in decimal, is sent like the text of a picture."""

    id: str
    kind: Literal["pow"]
    challenge: WorkChallenge
    expires_in: int


class IssuedCaptcha(RootModel[Annotated[IssuedPicture | IssuedWork, Field(discriminator="kind")]]):
    """A captcha of the kind that was asked for."""


class CaptchaPath(BaseModel):
    """The captcha that the address names."""

    id: str


class ImageQuery(BaseModel):
    """How many pixels the picture has for one of the page: 2 is for dense screens."""

    scale: int = Field(default=1, ge=1, le=2)


class SoundQuery(BaseModel):
    """The language that a captcha is spoken in."""

    lang: Language = "zh"


class ClassicPath(BaseModel):
    """The id that a classic client made for its captcha."""

    id: str = Field(pattern=CLASSIC_ID)


class Attempt(BaseModel):
    """What a person read in the picture or heard in the sound, or the number that a device found."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(max_length=1024)


class Judgement(BaseModel):
    """Whether the attempt was right."""

    passed: bool
