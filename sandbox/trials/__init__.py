"""Trials: what terms would withhold, computed in the jail before anybody signs them, told to the decider in shares."""
