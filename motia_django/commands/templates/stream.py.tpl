"""What browsers follow as "$stream": items by group, such as the orders of each customer."""

config = {
    "name": "$stream",
    "description": "",
}
