"""Chairs and tables with part labels, from the catalogue, parametric models and PSB."""
