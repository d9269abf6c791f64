"""Bodies: JSON in UTF-8 (RFC 8259), of bounded size and depth."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.translation import gettext_lazy as _
from rest_framework import status
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import JSONParser


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = _("The body is too large. Send less at once.")
    default_code = "too_large"


class JSONBody(JSONParser):
    """Reads at most DATA_UPLOAD_MAX_MEMORY_SIZE bytes: Django's own bound does not hold for a body read as a stream."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        body = stream.read(limit + 1)
        if len(body) > limit:
            raise TooLarge
        context = {**(parser_context or {}), "encoding": "utf-8"}
        try:
            data = super().parse(io.BytesIO(body), media_type, context)
            json.dumps(data, ensure_ascii=False).encode()
        except RecursionError:
            raise ParseError(_("The body is nested too deeply.")) from None
        except UnicodeEncodeError:  # neither a database nor an answer could hold it
            raise ParseError(_("The body holds half a character (a lone surrogate).")) from None
        return data
