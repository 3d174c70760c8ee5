"""A synthetic room without other assets: ray cast, procedural furniture and textures."""
