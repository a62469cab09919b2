"""The container's health check: exit code 0 when the service says that it is ready."""

import os
import sys
import urllib.request

try:
    urllib.request.urlopen(f"http://127.0.0.1:{os.environ['PORT']}/readyz", timeout=3)
except OSError as error:
    sys.exit(str(error))
