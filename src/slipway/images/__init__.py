"""Images: built from an application's source where no registry has them, and brought to hosts only where missing."""

from slipway.images.build import Image, ensure_built
from slipway.images.problem import ImageFailed
from slipway.images.source import Build, image_name, source_digest

__all__ = ["Build", "Image", "ImageFailed", "ensure_built", "image_name", "source_digest"]
