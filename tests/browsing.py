"""What a reader of a page meets in a browser: rules of accessibility, its width, its print."""

import re

import pytest

_PAGE_MM = (210, 297)  # A4
_MARGIN_MM = 10


def violations(page):
    """What axe-core finds against the rules of WCAG 2 and its best practices: the rule and the elements."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    response = axe.Axe().run(page).response
    return [
        f"{each['id']}: {each['help']}: {[node['target'] for node in each['nodes']][:5]}"
        for each in response["violations"]
    ]


def too_wide(page):
    """By how many pixels the page can be scrolled to the right."""
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def printed(page):
    """The number of A4 pages on which the page is printed, and the figures that a page's end cuts.

    A figure is cut where it is higher than a page, or where the style allows to break it.
    """
    margin = f"{_MARGIN_MM}mm"
    margins = dict.fromkeys(("top", "right", "bottom", "left"), margin)
    pdf = page.pdf(format="A4", margin=margins, print_background=True)
    page.emulate_media(media="print")
    across, down = ((size - 2 * _MARGIN_MM) * 96 / 25.4 for size in _PAGE_MM)
    page.set_viewport_size({"width": int(across), "height": int(down)})
    cut = page.evaluate(_CUT, int(down))
    page.emulate_media(media="screen")
    return len(re.findall(rb"/Type\s*/Page\b(?!s)", pdf)), cut


_CUT = """
(down) => {
  const shown = (each) => each.getClientRects().length > 0;
  const breaks = (each) => shown(each) && getComputedStyle(each).breakInside !== "avoid";
  const high = (each) => each.getBoundingClientRect().height > down;
  const figures = [...document.querySelectorAll("figure, img, svg, canvas")];
  const cut = figures.filter((each) => high(each) || each.matches("figure") && breaks(each));
  return cut.map((each) => each.outerHTML.slice(0, 120));
}
"""
