from rest_framework.throttling import UserRateThrottle


class BurstThrottle(UserRateThrottle):
    scope = "burst"
    rate = "3/min"
