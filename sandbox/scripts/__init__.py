"""Reviewed scripts: Python that prepares the records of one dataset before questions are asked of them.

submitted → read by two reviewers → run once in the jail → checked against the dataset's terms → an extract like any
other, over which the contract's questions are asked through the same guard and the same disclosure rules. What then
leaves is looked at by two reviewers again. A script chooses neither what is counted nor what is withheld.
"""
