

# Celery. Where no broker is named, `manage.py motia_steps dev` starts a Redis of its own.

CELERY_BROKER_URL = os.environ.get('CELERY_BROKER_URL')
CELERY_DB_REUSE_MAX = 1000  # runs that a worker keeps its connection to the database for
