"""`sem-field evaluate`: one module per kind of score."""
