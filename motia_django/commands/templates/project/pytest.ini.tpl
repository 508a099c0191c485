[pytest]
DJANGO_SETTINGS_MODULE = $name.settings
python_files = tests.py test_*.py
