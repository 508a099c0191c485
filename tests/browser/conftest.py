from __future__ import annotations

from tests.browser.chromium import page

__all__ = ["page"]
