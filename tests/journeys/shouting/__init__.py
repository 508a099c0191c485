"""An app for the journeys: a stream, and a Step that writes to it."""
