"""Parametric furniture that the catalogue lacks: cabinets, basins, textiles, panels."""
