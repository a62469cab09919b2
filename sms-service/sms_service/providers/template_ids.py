"""The ids under which one provider keeps our templates."""

import itertools

from sms_service.providers.provider import OutgoingSms, ProviderUnusable
from sms_service.purposes import Purpose
from sms_service.templates import Language, Templates


class TemplateIds:
    """A template id for every purpose and language, looked up once.

    Raises:
        ProviderUnusable: the file of templates has none for some purposes; the message names them.
    """

    def __init__(self, templates: Templates, provider: str) -> None:
        found = {key: templates.id_of(provider, *key) for key in itertools.product(Purpose, Language)}
        if missing := sorted({purpose.value for (purpose, _), template_id in found.items() if template_id is None}):
            raise ProviderUnusable(f"{provider} has no template id for {', '.join(missing)} (SMS_TEMPLATES_FILE)")
        self._ids = {key: template_id for key, template_id in found.items() if template_id is not None}

    def of(self, sms: OutgoingSms) -> str:
        """Find the id for a text."""
        return self._ids[sms.purpose, sms.language]
