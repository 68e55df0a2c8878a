"""Golden values for images, from Pillow: writes images.json beside this file.

    pip install pillow numpy
    python tests/golden/images.py

All images are synthetic (the function `pattern`); none comes from a data set. Bytes are written as hexadecimal digits.
"""

import io
import json
import pathlib

import numpy as np
import PIL
from PIL import Image


def pattern(height, width, seed):
    """Smooth gradients, a hard edge and noise: what resizing and compression treat differently."""
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
    smooth = np.stack([x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x + y) * 5 % 256], axis=2)
    edge = (x > width // 2)[..., None] & (y > height // 3)[..., None]
    return np.where((x * 7 + y * 3)[..., None] % 5 == 0, noise, np.where(edge, 255 - smooth, smooth)).astype(np.uint8)


def resize(height, width, to_height, to_width, seed):
    image = pattern(height, width, seed)
    resized = Image.fromarray(image).resize((to_width, to_height), Image.BILINEAR)
    return {
        "from": [height, width],
        "to": [to_height, to_width],
        "pixels": image.tobytes().hex(),
        "resized": np.asarray(resized).tobytes().hex(),
    }


def jpeg(name, mode, **options):
    # Smooth colors: decoders differ most where colors are sharp.
    y, x = np.mgrid[0:24, 0:40]
    image = np.stack([40 + 4 * x, 60 + 6 * y, 200 - 2 * x - 3 * y], axis=2).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(image).convert(mode).save(file, "JPEG", quality=95, **options)
    decoded = Image.open(io.BytesIO(file.getvalue())).convert("RGB")
    return {
        "name": name,
        "size": [24, 40],
        "file": file.getvalue().hex(),
        "pixels": np.asarray(decoded).tobytes().hex(),
    }


golden = {
    "pillow": PIL.__version__,
    "resize": [
        resize(200, 200, 60, 60, 1),
        resize(50, 41, 32, 32, 2),
        resize(20, 13, 30, 30, 3),
        resize(3, 90, 7, 11, 4),
        resize(64, 32, 32, 32, 5),
        resize(1, 1, 4, 5, 6),
    ],
    "jpeg": [
        jpeg("baseline", "RGB"),
        jpeg("without subsampling", "RGB", subsampling=0),
        jpeg("progressive", "RGB", progressive=True),
        jpeg("grey", "L"),
        jpeg("progressive grey", "L", progressive=True),
        jpeg("cmyk", "CMYK"),
    ],
}
path = pathlib.Path(__file__).with_name("images.json")
path.write_text(json.dumps(golden, indent=1) + "\n")
