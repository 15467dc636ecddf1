"""The one error that a person causes and a person can mend."""


class UserError(Exception):
    """Bad input or a missing part. The message is one line and says how to mend it; the command exits with 2."""


class HarnessError(UserError):
    """Our own part failed: no memory, no descriptors, no browser.

    It says nothing of the code that was to be rendered.
    """
