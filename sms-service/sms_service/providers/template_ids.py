"""The ids under which one provider keeps our templates."""

import itertools

from sms_service.providers.provider import OutgoingSms, ProviderUnusable
from sms_service.purposes import Notice, Purpose
from sms_service.templates import Language, Templates


class TemplateIds:
    """A template id for every purpose and language, looked up once; notices may have none.

    Raises:
        ProviderUnusable: the file of templates has none for some purposes; the message names them.
    """

    def __init__(self, templates: Templates, provider: str) -> None:
        everything = itertools.product((*Purpose, *Notice), Language)
        found = {key: template_id for key in everything if (template_id := templates.id_of(provider, *key)) is not None}
        self._ids: dict[tuple[Purpose | Notice, Language], str] = found
        if missing := sorted(purpose.value for purpose in Purpose if not self.has(purpose)):
            raise ProviderUnusable(f"{provider} has no template id for {', '.join(missing)} (SMS_TEMPLATES_FILE)")

    def has(self, purpose: Purpose | Notice) -> bool:
        """Say whether there is an id; one in any language stands for all."""
        return (purpose, Language.ZH) in self._ids

    def of(self, sms: OutgoingSms) -> str:
        """Find the id for a text."""
        return self._ids[sms.purpose, sms.language]
