"""What can go wrong when a bundle is built; the message is fit to be shown to a person."""


class BundleError(Exception):
    """The bundle cannot be built, or is not fit to be deployed."""
