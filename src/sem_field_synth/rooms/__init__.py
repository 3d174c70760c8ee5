"""A synthetic room without third-party assets: ray cast, procedural furniture and textures."""
