# SPDX-License-Identifier: Apache-2.0


class Error(RuntimeError):
    """What went wrong, in one sentence that says what to do."""
