"""`sem-field train`: one module per kind of model."""
