"""What every door of the API has: an actor, checked input, paging, and answers that no cache keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.utils.cache import add_never_cache_headers
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import NotFound
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.permissions import AllowAny
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.views import APIView

from dataspace.api.authentication import ApiToken
from dataspace.api.bodies import JSONBody
from dataspace.api.document import DoorSchema
from parties.actors import Actor, actor_for

M = TypeVar("M", bound=Model)


class OneLanguage(BaseContentNegotiation):
    """Every door answers in its one form whatever is asked for, as RFC 9110 §12.5.1 allows."""

    def select_parser(self, request: Request, parsers: Iterable[Any]) -> Any:
        """None (415) for a body that is not JSON."""
        kind = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == kind), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        first = next(iter(renderers))
        return first, str(first.media_type)


class Pages(LimitOffsetPagination):
    """`?limit=` (50 by default, 200 at most) and `?offset=`."""

    default_limit = 50
    max_limit = 200


class Door(APIView):
    authentication_classes: Sequence[type[BaseAuthentication]] = (ApiToken, SessionAuthentication)
    parser_classes = (JSONBody,)
    content_negotiation_class = OneLanguage
    schema = DoorSchema()

    @cached_property
    def actor(self) -> Actor:
        return actor_for(self.request.user)

    def read(self, shape: type[Serializer[Any]], data: Any) -> dict[str, Any]:
        """Input checked against its shape; DRF answers 400 where it does not fit."""
        serializer = shape(data=data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def one(self, shape: type[BaseSerializer[Any]], thing: Any, *, status: int = 200) -> Response:
        return Response(shape(thing, context={"actor": self.actor}).data, status=status)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        add_never_cache_headers(answer)
        return answer


class ListDoor(Door):
    pagination_class = Pages

    def filters(self, shape: type[Serializer[Any]]) -> dict[str, Any]:
        """The query string, checked; a blank value does not filter."""
        given = self.request.query_params.dict()
        return self.read(shape, {name: value for name, value in given.items() if value})

    def page(self, shape: type[BaseSerializer[Any]], rows: QuerySet[M]) -> Response:
        paginator = self.pagination_class()
        found = paginator.paginate_queryset(rows, self.request, view=self)
        return paginator.get_paginated_response(shape(found, many=True, context={"actor": self.actor}).data)


class NoDoor(Door):
    """Any other address below the API: the answer that hidden and absent things get too."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    schema = None  # type: ignore[assignment]  # not in the document

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound
