"""Addresses of the API, version 1."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from dataspace.api import audit, tokens, views

app_name = "api"
urlpatterns = [
    path("schema", SpectacularAPIView.as_view(), name="schema"),
    path("", SpectacularSwaggerSplitView.as_view(url_name="api:schema"), name="docs"),
    path("token", tokens.Token.as_view(), name="token"),
    path("datasets", views.Datasets.as_view(), name="datasets"),
    path("datasets/<str:name>", views.DatasetDetail.as_view(), name="dataset"),
    path("requests", views.Requests.as_view(), name="requests"),
    path("requests/<str:uid>", views.RequestDetail.as_view(), name="request"),
    path("requests/<str:uid>/decision", views.RequestDecision.as_view(), name="request-decision"),
    path("requests/<str:uid>/withdrawal", views.RequestWithdrawal.as_view(), name="request-withdrawal"),
    path("contracts", views.Contracts.as_view(), name="contracts"),
    path("contracts/<str:uid>", views.ContractDetail.as_view(), name="contract"),
    path("contracts/<str:uid>/signature", views.ContractSignature.as_view(), name="contract-signature"),
    path("contracts/<str:uid>/suspension", views.ContractSuspension.as_view(), name="contract-suspension"),
    path("contracts/<str:uid>/termination", views.ContractTermination.as_view(), name="contract-termination"),
    path("contracts/<str:uid>/preview", views.ContractPreview.as_view(), name="contract-preview"),
    path("contracts/<str:uid>/runs", views.ContractRuns.as_view(), name="contract-runs"),
    path("runs", views.Runs.as_view(), name="runs"),
    path("runs/<str:uid>", views.RunDetail.as_view(), name="run"),
    path("runs/<str:uid>/cancellation", views.RunCancellation.as_view(), name="run-cancellation"),
    path("releases/<str:uid>", views.ReleaseDetail.as_view(), name="release"),
    path("releases/<str:uid>/<str:format_name>", views.ReleaseFile.as_view(), name="release-file"),
    path("audit/entries", audit.Entries.as_view(), name="audit-entries"),
    path("audit/export", audit.Export.as_view(), name="audit-export"),
]
