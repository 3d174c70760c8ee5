"""What the tests of the page share: pixels of a colour in the picture of a browser, and clicks on them."""

from __future__ import annotations

import time

import cv2
import numpy as np

from sem_field_ros.viewer.browser import Browser

NOTICES = "[...document.querySelectorAll('.mantine-Notification-closeButton')]"
Color = tuple[int, int, int]
_WAIT_S = 30.0


def scene_of(browser: Browser, width: int) -> np.ndarray:
    """The page left of its panel, `width` pixels wide: [h, width, 3] uint8 RGB."""
    return cv2.imdecode(np.frombuffer(browser.picture(), np.uint8), cv2.IMREAD_COLOR)[:, :width, ::-1]


def pixels_of(image: np.ndarray, color: Color, tolerance: int = 6) -> np.ndarray:
    """Which pixels of an image [h, w, 3] have (about) this colour, [h, w] bool."""
    return np.abs(image.astype(int) - color).max(axis=-1) <= tolerance


def wait_for_color(browser: Browser, width: int, color: Color, tolerance: int = 6, at_least: int = 1) -> np.ndarray:
    """Wait until the scene has so many pixels of a colour; returns the scene as scene_of does."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        image = scene_of(browser, width)
        count = int(pixels_of(image, color, tolerance).sum())
        if count >= at_least:
            return image
        assert time.monotonic() < deadline, f"after {_WAIT_S:g} s only {count} pixels are {color}"
        time.sleep(0.2)


def click_color(browser: Browser, width: int, color: Color, tolerance: int = 6) -> None:
    """Press the mouse in the scene, well inside what has this colour."""
    inside = cv2.distanceTransform(
        pixels_of(scene_of(browser, width), color, tolerance).astype(np.uint8), cv2.DIST_L2, 5
    )
    y, x = np.unravel_index(inside.argmax(), inside.shape)
    assert inside[y, x] > 4, f"nothing large is {color}"
    browser.click(int(x), int(y))


def close_notices(browser: Browser) -> None:
    """Close the notice over the scene that the browser draws without a GPU."""
    browser.wait_for(f"{NOTICES}.length", what="the notice that there is no GPU")
    browser.evaluate(f"{NOTICES}.forEach(b => b.click())")
    browser.wait_for(f"!{NOTICES}.length", what="the notice closes")
