"""What callers of the captcha service send and get."""

from pydantic import BaseModel, ConfigDict, Field

from captcha_service.captchas import CLASSIC_ID
from captcha_service.clips import Language


class CaptchaRequest(BaseModel):
    """Nothing has to be said to get a captcha."""

    model_config = ConfigDict(extra="forbid")


class IssuedCaptcha(BaseModel):
    """A captcha and where it is seen and heard; ``expires_in`` is in seconds."""

    id: str
    image_url: str
    audio_url: str
    expires_in: int


class CaptchaPath(BaseModel):
    """The captcha that the address names."""

    id: str


class SoundQuery(BaseModel):
    """The language that a captcha is spoken in."""

    model_config = ConfigDict(extra="forbid")

    lang: Language = "zh"


class ClassicPath(BaseModel):
    """The id that a classic client made for its captcha."""

    id: str = Field(pattern=CLASSIC_ID)


class Attempt(BaseModel):
    """What a person read in the picture or heard in the sound."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str = Field(max_length=1024)


class Judgement(BaseModel):
    """Whether the attempt was right."""

    passed: bool
