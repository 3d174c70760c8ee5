"""The furniture catalogue of the sweethome3d packages: extraction, classes, models, attribution."""
