"""Contexts by name: names and help; light, for the command line reads them before torch is imported."""

NONE, AUTO, ROOMS = "none", "auto", "rooms"
CONTEXTS = {
    NONE: "fused votes as they are",
    AUTO: "rooms if the map has the classes of its weights, else none",
    ROOMS: "corrected by a network, by height above the floor, shape and surroundings",
}
CONTEXT_HELP = "; ".join(f"{name}: {what}" for name, what in CONTEXTS.items())
ROOMS_MODEL = "models/context_rooms/context_rooms.safetensors"
