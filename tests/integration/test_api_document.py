"""The OpenAPI document is valid and complete, and its page works under the content policy with nothing from elsewhere."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command
from django.test import Client
from django.urls import get_resolver
from django.utils import translation

from tests.api_calls import document

pytestmark = pytest.mark.django_db


class Elements(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_document_is_valid_without_a_warning(tmp_path: Path):
    path = tmp_path / "openapi.yaml"
    call_command("spectacular", file=str(path), validate=True, fail_on_warn=True)
    assert yaml.safe_load(path.read_text(encoding="utf-8"))["openapi"].startswith("3.")


def test_every_address_of_the_api_is_in_the_document_and_may_refuse():
    from dataspace.api.urls import urlpatterns

    addresses = {
        "/api/" + re.sub(r"<\w+:(\w+)>", r"{\1}", str(p.pattern))
        for p in urlpatterns
        if p.name not in ("schema", "docs", "nothing")
    }
    assert addresses == set(document()["paths"])
    operations = [o for path in document()["paths"].values() for o in path.values()]
    assert all("application/problem+json" in o["responses"]["default"]["content"] for o in operations)
    assert len({o["operationId"] for o in operations}) == len(operations)


def test_what_asks_for_a_token_says_so():
    open_to_all = {
        (path, method)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if {} in operation.get("security", [{}])
    }
    assert open_to_all == {
        ("/api/token", "post"), ("/api/datasets", "get"), ("/api/datasets/{name}", "get"),
        ("/api/audit/checkpoint", "get"), ("/api/audit/proofs/inclusion", "get"), ("/api/audit/proofs/consistency", "get"),
    }  # fmt: skip
    assert set(document()["components"]["securitySchemes"]) >= {"token"}


@pytest.mark.parametrize(
    "path", ["/api/", "/api/?lang=en", "/api/?x=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"]
)
def test_the_page_holds_nothing_inline_and_asks_no_other_host(path):
    response = Client().get(path)
    assert response.status_code == 200
    policy = response.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "script-src 'self'" in policy
    elements = Elements(response.content.decode()).found
    scripts = [attributes for tag, attributes in elements if tag == "script"]
    assert scripts
    assert all(attributes.get("src") for attributes in scripts)
    assert not [tag for tag, _ in elements if tag == "style"]
    for tag, attributes in elements:
        assert not [name for name in attributes if name == "style" or name.startswith("on")], tag
        for name in ("src", "href"):
            assert re.match(r"/(?!/)", attributes.get(name) or "/"), (tag, attributes)


def test_the_script_of_the_page_is_a_script_and_asks_this_host():
    response = Client().get("/api/?script=")
    assert response.headers["Content-Type"].startswith("application/javascript")
    text = response.content.decode()
    assert "http://" not in text
    assert "https://" not in text
    assert 'url: "/api/schema"' in text


@pytest.mark.parametrize(
    "kind", ["", "?format=json", "?lang=en", "?lang=../../etc", "?version=%0d%0aX-Evil:1"]
)
def test_the_document_is_served_and_its_parameters_change_nothing(kind):
    response = Client().get("/api/schema" + kind, headers={"Accept": "application/vnd.oai.openapi+json"})
    assert response.status_code == 200
    assert json.loads(response.content)["info"]["title"] == "dataspace"


def test_asking_for_unheard_of_languages_fills_no_memory():
    from django.utils.translation import trans_real

    before = set(trans_real._translations)
    for n in range(3):
        Client().get(f"/api/schema?lang=x{n}")
    grown = set(trans_real._translations) - before
    assert not [language for language in grown if language.startswith("x")]
    translation.activate("zh-hans")


def test_the_root_of_the_api_is_where_the_addresses_say():
    assert get_resolver().resolve("/api/").url_name == "docs"
