"""What the items of state are shown in."""

config = {"name": "both"}
