"""Reviewed data files of the importers."""
