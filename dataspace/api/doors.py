"""What every door of the API has: an actor, checked input, paging."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer, Serializer
from rest_framework.views import APIView

from parties.actors import Actor, actor_for

M = TypeVar("M", bound=Model)


class Door(APIView):
    @property
    def actor(self) -> Actor:
        return actor_for(self.request.user)

    def read(self, shape: type[Serializer[Any]], request: Request) -> dict[str, Any]:
        """The body, checked against its shape; DRF answers 400 where it does not fit."""
        serializer = shape(data=request.data)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def one(self, shape: type[BaseSerializer[Any]], thing: Any, *, status: int = 200) -> Response:
        return Response(shape(thing, context={"actor": self.actor}).data, status=status)

    def page(self, shape: type[BaseSerializer[Any]], rows: QuerySet[M]) -> Response:
        paginator = LimitOffsetPagination()
        found = paginator.paginate_queryset(rows, self.request, view=self)
        return paginator.get_paginated_response(shape(found, many=True, context={"actor": self.actor}).data)
