"""What a reader of a page meets: its elements; in a browser rules of accessibility, its width, its print."""

import re
from html.parser import HTMLParser

import pytest

_PAGE_MM = (210, 297)  # A4
_MARGIN_MM = 10


HOSTILE = [
    "</script><script>alert(1)</script>",
    "]]><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    "\u202e{{ 7*7 }} {% x %}",
    '" onmouseover="alert(1)',
]


class Page(HTMLParser):
    """The elements of a page with their attributes, and its text outside of scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.words, self.inside = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, _tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside not in ("script", "style"):
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


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


def wait_until(page, condition, argument=None):
    """Wait for a JavaScript condition.

    Playwright's `wait_for_function` asks again by `eval`, which the policy of our pages refuses.
    """
    for _ in range(400):
        if page.evaluate(condition, argument):
            return
        page.wait_for_timeout(25)
    raise AssertionError(f"after 10 s not true: {condition}")
