"""The pages' addresses. Name space `portal`."""

from django.contrib.auth.views import LogoutView
from django.urls import path

from dataspace.portal.views import (
    accounts,
    audit,
    audit_checks,
    basket,
    catalog,
    compute,
    contracts,
    differencing,
    home,
    personal,
    releases,
    requests,
    reviews,
    runs,
    scripts,
)

app_name = "portal"

urlpatterns = [
    path("", home.home, name="home"),
    path("login/", accounts.Login.as_view(), name="login"),
    path("password/", accounts.PasswordChange.as_view(), name="password"),
    path("logout/", LogoutView.as_view(), name="logout"),
    # What is offered
    path("catalog/", catalog.catalog, name="catalog"),
    path("catalog/<str:name>/", catalog.dataset, name="dataset"),
    # What is asked
    path("basket/", basket.basket, name="basket"),
    path("basket/add/", basket.add, name="basket_add"),
    path("requests/", requests.requests, name="requests"),
    path("requests/<uuid:uid>/", requests.request, name="request"),
    path("requests/<uuid:uid>/decide/", requests.decide, name="request_decide"),
    path("trials/<uuid:uid>/", requests.trial, name="trial"),
    path("requests/<uuid:uid>/withdraw/", requests.withdraw, name="request_withdraw"),
    # What is agreed
    path("contracts/", contracts.contracts, name="contracts"),
    path("contracts/<uuid:uid>/", contracts.contract, name="contract"),
    path("contracts/<uuid:uid>/sign/", contracts.sign, name="contract_sign"),
    path("contracts/<uuid:uid>/suspend/", contracts.suspend, name="contract_suspend"),
    path("contracts/<uuid:uid>/resume/", contracts.resume, name="contract_resume"),
    path("contracts/<uuid:uid>/terminate/", contracts.terminate, name="contract_terminate"),
    # What prepares the records
    path("contracts/<uuid:uid>/scripts/new/", scripts.new, name="script_new"),
    path("scripts/<uuid:uid>/", scripts.script, name="script"),
    path("scripts/<uuid:uid>/status/", scripts.status, name="script_status"),
    path("scripts/<uuid:uid>/withdraw/", scripts.withdraw, name="script_withdraw"),
    path("scripts/<uuid:uid>/review/", scripts.review, name="script_review"),
    # What is computed
    path("contracts/<uuid:uid>/compute/", compute.compute, name="compute"),
    path("contracts/<uuid:uid>/compute/check/", compute.preview, name="preview"),
    path("runs/", runs.runs, name="runs"),
    path("runs/<uuid:uid>/", runs.run, name="run"),
    path("runs/<uuid:uid>/status/", runs.status, name="run_status"),
    path("runs/<uuid:uid>/cancel/", runs.cancel, name="run_cancel"),
    path("runs/<uuid:uid>/review/", reviews.review, name="run_review"),
    # What came out
    path("releases/<uuid:uid>/evidence/", releases.evidence, name="release_evidence"),
    path("releases/<uuid:uid>/statistics/", releases.statistics, name="release_statistics"),
    path("releases/<uuid:uid>/<slug:format_name>/", releases.download, name="release_download"),
    # How what comes out is protected
    path("differencing/", differencing.differencing, name="differencing"),
    # What is on record
    path("audit/", audit.audit, name="audit"),
    path("audit/<int:seq>/", audit.entry, name="audit_entry"),
    path("audit/<int:seq>/proof/", audit.proof, name="audit_proof"),
    path("audit/verify/", audit_checks.verify_now, name="audit_verify"),
    path("audit/export/", audit_checks.export_log, name="audit_export"),
    path("audit/copy/", audit_checks.tamper, name="audit_tamper"),
    path("audit/<int:seq>/erase/", personal.erase, name="audit_erase"),
    path("audit/compare/", audit_checks.reconcile_now, name="audit_reconcile"),
]
