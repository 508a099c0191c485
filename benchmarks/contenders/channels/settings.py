"""Settings of a project that tells browsers by Channels."""

from __future__ import annotations

import os

from sample_project.settings import database

SECRET_KEY = "only-for-the-benchmark"
ALLOWED_HOSTS = ["localhost"]
INSTALLED_APPS = ["channels"]
DATABASES = {"default": database(None)}
USE_TZ = True
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [os.environ["REDIS_URL"]]},
    }
}
