from rest_framework.exceptions import APIException
from rest_framework.views import exception_handler


def in_our_format(exc, context):
    response = exception_handler(exc, context)
    if response is None:
        return None
    codes = exc.get_codes() if isinstance(exc, APIException) else None
    response.data = {"status": response.status_code, "errors": response.data, "codes": codes}
    return response
