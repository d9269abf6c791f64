"""Scripts are permitted where every decider permits them, and nowhere else."""

from __future__ import annotations

import pytest
from django.urls import reverse

from contracts.models import Contract
from contracts.services.requests import decide_request
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("power", "water", "bureau", "allowed"),
    [
        (1, 1, 1, 1),
        (0, 1, 1, 0),
        (1, None, 1, 0),
        (1, 1, None, 0),
        (None, None, 1, 0),
        (1, 1, 0, 0),
        (None, None, None, 0),
    ],
)
def test_all_deciders_together_permit_scripts(city, power, water, bureau, allowed):
    datasets = [factories.published_dataset(city.power), factories.water_dataset(city.water)]
    request = factories.filed_request(city.enterprise, datasets)
    for user, said in ((city.power, power), (city.water, water), (city.bureau, bureau)):
        limits = {} if said is None else {"allow_scripts": said}
        decide_request(
            actor=factories.actor(user), request=request, outcome="grant", reason="同意", limits=limits
        )
    assert Contract.objects.get(request=request).terms.disclosure.allow_scripts == allowed


def test_the_form_has_a_box_of_its_own_and_what_was_said_is_shown(client, city):
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "en"
    request = factories.filed_request(city.enterprise, [factories.published_dataset(city.power)])
    for user in (city.power, city.bureau):
        client.force_login(user)
        page = client.get(reverse("portal:request", args=[request.uid]))
        form = page.context["page"].form
        assert "allow_scripts" not in {field.name for field in form.limit_fields}
        assert 'type="checkbox" name="allow_scripts"' in page.content.decode()
        client.post(
            reverse("portal:request_decide", args=[request.uid]),
            {"outcome": "grant", "reason": "同意", "allow_scripts": "on"},
        )
    assert Contract.objects.get(request=request).terms.disclosure.allow_scripts == 1
    said = client.get(reverse("portal:request", args=[request.uid])).context["page"].said
    assert [(str(f.label), f.value) for f in said[0].limits] == [
        ("Reviewed scripts may prepare the records", True)
    ]
