"""Objects whose parts are labelled: parametric chairs and tables, catalogue models, PSB meshes; rendered in views."""
