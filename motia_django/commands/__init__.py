"""The subcommands of `manage.py motia_steps`."""
