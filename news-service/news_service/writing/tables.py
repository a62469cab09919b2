"""The table of uploaded pictures."""

from datetime import datetime

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from chassis.database import UtcDateTime
from news_service.tables import OPTIONS, Base


class NewsImage(Base):
    """A picture that a user uploaded; ``name`` is the hash of its content with its ending."""

    __tablename__ = "news_image"
    __table_args__ = (Index("ix_news_image_own", "user_id", "uploaded_at"), OPTIONS)

    name: Mapped[str] = mapped_column(String(80), primary_key=True)
    user_id: Mapped[int]
    uploaded_at: Mapped[datetime] = mapped_column(UtcDateTime)
    bytes: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
