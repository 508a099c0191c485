"""Make the user admin, password admin, in the sample project's database, unless it is there."""

import os

import django


def main() -> None:
    """Make the demo's user; for the demo only, since everybody knows its password."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sample_project.settings")
    django.setup()
    from django.contrib.auth import get_user_model

    users = get_user_model()._default_manager
    if not users.filter(username="admin").exists():
        users.create_superuser("admin", "admin@example.com", "admin")
        print("Made the user admin, password admin, for the admin at /admin/.")


if __name__ == "__main__":
    main()
