"""Generated data with exact labels: rooms, furnished homes, objects with parts. sem_field_ros runs without it."""
