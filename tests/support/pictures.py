"""Writes pictures of a single color."""

from PIL import Image


def write_pictures(folder, sizes, *, gray=()):
    """Writes PNG files of the sizes `(width, height)`; those of the numbers `gray` are gray."""
    folder.mkdir(parents=True)
    for i, (width, height) in enumerate(sizes):
        color = (i, 10, 200) if i not in gray else (i, i, i)
        image = Image.new("RGB", (width, height), color)
        (image.convert("L") if i in gray else image).save(folder / f"{i:02}.png")
    return folder
