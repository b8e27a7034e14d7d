"""Figures: this service beside its peers, in one run (`scripts/bench`)."""
