"""What a page answers when a room says no: the reason and the right status, or nothing there at all."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser
from django.contrib.messages.storage.cookie import CookieStorage
from django.http import Http404

from audit.refusals import Refused
from dataspace.portal.doors import address, door, reason_against
from tests import factories

pytestmark = pytest.mark.django_db


def answer(rf, refused: Refused, user=None, method: str = "get"):
    request = getattr(rf, method)("/somewhere/?a=1")
    request.user = user or AnonymousUser()
    request.resolver_match = None
    request._messages = CookieStorage(request)

    @door
    def view(_request):
        raise refused

    return view(request)


@pytest.mark.parametrize(
    ("code", "status"),
    [("role.missing", 403), ("request.own", 403), ("contract.suspended", 409), ("request.limits", 400)],
)
def test_a_refusal_is_a_page_with_its_reason_and_status(rf, code, status):
    user = factories.city().enterprise
    response = answer(rf, Refused(code, "This is why <b>."), user)
    assert response.status_code == status
    assert "This is why &lt;b&gt;." in response.content.decode()
    assert code in response.content.decode()


def test_what_is_not_there_for_you_is_a_404(rf):
    with pytest.raises(Http404):
        answer(rf, Refused("not_found", "x"))


def test_a_visitor_without_a_role_is_led_to_the_log_in_and_back(rf):
    assert answer(rf, Refused("role.missing", "x"))["Location"] == "/login/?next=%2Fsomewhere%2F%3Fa%3D1"
    assert answer(rf, Refused("role.missing", "x"), method="post")["Location"] == "/login/?next=%2F"


def test_a_closed_button_says_why_and_an_open_one_nothing():
    def closed(_thing: int) -> None:
        raise Refused("x", "Because.")

    assert reason_against(closed, 1) == "Because."
    assert reason_against(lambda _thing: None, 1) == ""


def test_an_address_that_is_not_served_is_empty():
    assert address("portal:home") == "/"
    assert address("portal:no_such_page") == ""
