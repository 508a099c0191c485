"""What browsers follow as "$stream": items by group, such as the orders of each customer."""


def can_access(subscription, auth):
    """Let in whoever is logged in; narrow it by subscription.group_id and subscription.id."""
    return auth.user.is_authenticated


config = {
    "name": "$stream",
    "description": "",
    "canAccess": can_access,
}
