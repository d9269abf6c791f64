"""Addresses of the API, version 1."""

from django.urls import path, re_path

from dataspace.api import audit, audit_exports, document, scripts, statistics, tokens, trials, views
from dataspace.api.doors import NoDoor

app_name = "api"
urlpatterns = [
    path("schema", document.Document.as_view(), name="schema"),
    path("", document.Docs.as_view(), name="docs"),
    path("token", tokens.Token.as_view(), name="token"),
    path("datasets", views.Datasets.as_view(), name="datasets"),
    path("datasets/<slug:name>", views.DatasetDetail.as_view(), name="dataset"),
    path("requests", views.Requests.as_view(), name="requests"),
    path("requests/<uuid:uid>", views.RequestDetail.as_view(), name="request"),
    path("requests/<uuid:uid>/decision", views.RequestDecision.as_view(), name="request-decision"),
    path("requests/<uuid:uid>/trials", trials.Trials.as_view(), name="request-trials"),
    path("trials/<uuid:uid>", trials.TrialDetail.as_view(), name="trial"),
    path("requests/<uuid:uid>/withdrawal", views.RequestWithdrawal.as_view(), name="request-withdrawal"),
    path("contracts", views.Contracts.as_view(), name="contracts"),
    path("contracts/<uuid:uid>", views.ContractDetail.as_view(), name="contract"),
    path("contracts/<uuid:uid>/signature", views.ContractSignature.as_view(), name="contract-signature"),
    path("contracts/<uuid:uid>/suspension", views.ContractSuspension.as_view(), name="contract-suspension"),
    path(
        "contracts/<uuid:uid>/termination", views.ContractTermination.as_view(), name="contract-termination"
    ),
    path("contracts/<uuid:uid>/preview", views.ContractPreview.as_view(), name="contract-preview"),
    path("contracts/<uuid:uid>/runs", views.ContractRuns.as_view(), name="contract-runs"),
    path("contracts/<uuid:uid>/scripts", scripts.ContractScripts.as_view(), name="contract-scripts"),
    path("scripts/<uuid:uid>", scripts.ScriptDetail.as_view(), name="script"),
    path("scripts/<uuid:uid>/withdraw", scripts.ScriptWithdrawal.as_view(), name="script-withdrawal"),
    path("scripts/<uuid:uid>/reviews", scripts.ScriptReviews.as_view(), name="script-reviews"),
    path("runs", views.Runs.as_view(), name="runs"),
    path("runs/<uuid:uid>", views.RunDetail.as_view(), name="run"),
    path("runs/<uuid:uid>/cancellation", views.RunCancellation.as_view(), name="run-cancellation"),
    path("runs/<uuid:uid>/reviews", scripts.RunReviews.as_view(), name="run-reviews"),
    path("releases/<uuid:uid>", views.ReleaseDetail.as_view(), name="release"),
    path("releases/<uuid:uid>/statistics", statistics.ReleaseStatistics.as_view(), name="release-statistics"),
    path("releases/<uuid:uid>/<slug:format_name>", views.ReleaseFile.as_view(), name="release-file"),
    path("audit/entries", audit.Entries.as_view(), name="audit-entries"),
    path("audit/entries/<int:seq>/proof", audit.EntryProof.as_view(), name="audit-entry-proof"),
    path("audit/checkpoint", audit.PublishedCheckpoint.as_view(), name="audit-checkpoint"),
    path("audit/proofs/inclusion", audit.InclusionProof.as_view(), name="audit-inclusion"),
    path("audit/proofs/consistency", audit.ConsistencyProof.as_view(), name="audit-consistency"),
    path("audit/export", audit_exports.Export.as_view(), name="audit-export"),
    path("audit/openings", audit_exports.Openings.as_view(), name="audit-openings"),
    path("audit/erasures", audit.Erasures.as_view(), name="audit-erasures"),
    path("audit/export/own", audit_exports.ExportOwn.as_view(), name="audit-export-own"),
    path("audit/export/folder", audit_exports.ExportFolder.as_view(), name="audit-export-folder"),
    re_path("", NoDoor.as_view(), name="nothing"),
]
