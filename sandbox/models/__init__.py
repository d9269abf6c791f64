"""The rows of this room."""

from sandbox.models.answers import Answer
from sandbox.models.runs import Computation, Release, Run
from sandbox.models.scripts import RunReview, Script, ScriptReview
from sandbox.models.trials import Trial

__all__ = ["Answer", "Computation", "Release", "Run", "RunReview", "Script", "ScriptReview", "Trial"]
