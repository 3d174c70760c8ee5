"""`sem-field generate`: one module per kind of data; the generators are in sem_field_synth."""
