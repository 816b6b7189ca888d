"""A browser for the tests of pages: Chromium, in which every request of a network is refused and counted."""

import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; the test is skipped where there is none."""
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("no chromium here")
    with api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser):
    """A function that opens a file or an address in a fresh window.

    When the test ends, no page that it opened may have complained in the console, thrown an error, been
    refused anything by its own policy, or asked anything but itself: its file, or with `server` that server.
    """
    contexts, problems = [], []

    def request_seen(route, allowed):
        address = route.request.url
        if address.startswith(allowed):
            route.continue_()
        else:
            problems.append(f"request: {address}")
            route.abort()

    def opened(target, *, width=1000, height=900, dark=False, script=True, server=None, **options):
        """A Playwright page.

        Args:
            target: a file, with an optional "#fragment" as its last part if it is a string; or an address.
            width, height: of the window, in CSS pixels.
            dark: whether the reader prefers a dark page.
            script: whether the page's scripts run.
            server: the beginning of addresses that the page may ask besides itself.
            options: of Playwright's `new_context`.
        """
        scheme = "dark" if dark else "light"
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            java_script_enabled=script,
            **options,
        )
        contexts.append(context)
        allowed = ("file:", "data:", "blob:", *([server] if server else []))
        context.route("**/*", lambda route: request_seen(route, allowed))
        page = context.new_page()
        page.on("console", lambda message: problems.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: problems.append(f"error: {error}"))
        page.goto(target if isinstance(target, str) else target.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert problems == []
