"""Imported first by the server that forks workers: it ends with the program even while it imports others."""

import signal

from nnsvs_lite.io.parent import end_with_parent

end_with_parent(signal.SIGKILL)
