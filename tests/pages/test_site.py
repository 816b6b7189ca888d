"""The site as a reader opens it: links that lead somewhere, all claims once, files that are nobody else's."""

import json
import re
import shutil
from collections import Counter
from pathlib import Path
from urllib.parse import unquote

import pytest
from browsing import HOSTILE, Page, printed, too_wide, violations, wait_until

from initlab.errors import StorageError, UsageError
from initlab.gallery.record import read_records
from initlab.pages.picture_files import svg_problem
from initlab.pages.site import site, site_files

ROOT = Path(__file__).parents[2]
PNG = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + b"\0\0\0\x02\0\0\0\x03"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M 0 0 L 1 1"/></svg>'
FINDING = {"setting": "tanh after 5 steps", "mean": 1, "low": 0.5, "high": 2, "seeds": 5}
CLAIM = {
    **dict.fromkeys(("statement", "source", "quantity", "range", "reason", "otherwise", "lesson"), "text"),
    **dict.fromkeys(("details", "heading"), "text"),
    "name": "holds",
    "verdict": "confirmed",
    "findings": [FINDING | {"verdict": "confirmed"}],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The site of the committed results."""
    pytest.importorskip("jinja2")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return site(tmp_path_factory.mktemp("site")).parent


@pytest.fixture(scope="module")
def pages(folder):
    """Every page by its file."""
    return {path: Page(path.read_text("utf-8")) for path in sorted(folder.rglob("*.html"))}


@pytest.fixture(scope="module")
def records():
    return read_records(ROOT / "results")


def written(tmp_path, *, pictures=True, **changes):
    """Results of one experiment."""
    folder = tmp_path / "results/mine"
    folder.mkdir(parents=True)
    tree = {"title": "Mine", "figures": {"loss": "A line."}, "tables": {"curves": 1}, "claims": [CLAIM]}
    (folder / "claims.json").write_text(json.dumps(tree | changes))
    (folder / "curves.csv").write_text("step,loss\n1,2.5\n")
    if pictures:
        (folder / "loss.png").write_bytes(PNG)
        (folder / "loss.svg").write_bytes(SVG)
    return folder.parent


def addresses(page):
    return [value for _, each in page.elements for key, value in each.items() if key in ("href", "src")]


def anchors(page):
    return [each["id"] for _, each in page.elements if "id" in each]


def test_every_link_leads_to_a_file_or_an_anchor_of_the_folder(folder, pages):
    lost = []
    for path, page in pages.items():
        for address in addresses(page):
            file, _, anchor = unquote(address).partition("#")
            target = (path.parent / file).resolve() if file else path
            if not (target.is_relative_to(folder) and target.is_file()) or (
                anchor and "=" not in anchor and anchor not in anchors(pages[target])
            ):
                lost.append((path.name, address))
    assert lost == []
    assert len(pages) > 40


def test_anchors_are_unique(pages):
    twice = {path: [k for k, n in Counter(anchors(page)).items() if n > 1] for path, page in pages.items()}
    assert not any(twice.values())


def test_each_claim_is_on_its_page_once_and_once_in_the_list(folder, pages, records):
    for name, record in records.items():
        page = pages[folder / name / "index.html"]
        shown = [anchor for anchor in anchors(page) if re.fullmatch(r"claim-\w+", anchor)]
        assert shown == [f"claim-{claim.name}" for claim in record.claims]
    listed = Counter(a for a in addresses(pages[folder / "index.html"]) if "#claim-" in a)
    names = [
        f"{name}/index.html#claim-{claim.name}" for name, record in records.items() for claim in record.claims
    ]
    assert listed == Counter(names)


def test_the_counts_are_those_of_the_claims(folder, pages, initlab_here):
    claims = json.loads(initlab_here("claims", "--json", "--results", str(ROOT / "results")).stdout)["claims"]
    counts = Counter(claim["verdict"] for claim in claims)
    index = pages[folder / "index.html"]
    for verdict, count in counts.items():
        assert f"{verdict} {count}" in index.text
        rows = [each for each in index.all("tr") if each.get("data-verdict") == verdict]
        assert len(rows) == count


def test_every_figure_of_the_results_has_numbers_a_click_away(folder, records):
    for name, record in records.items():
        text = (folder / name / "index.html").read_text("utf-8")
        figures = re.findall(r'<figure id="figure-(\w+)">(.*?)</figure>', text, re.DOTALL)
        assert [figure for figure, _ in figures] == list(record.figures)
        assert [figure for figure, part in figures if not re.search(r'href="[^"]+\.csv"', part)] == []
        drawn = {path.stem for path in (ROOT / "results" / name).glob("*.png")}
        assert drawn == set(record.figures)


def test_every_sentence_of_the_sources_is_answered_or_says_why_not(folder, pages):
    from initlab.gallery.sources import read_sources

    page = pages[folder / "sources.html"]
    for source in read_sources(ROOT / "experiments/sources.yaml").values():
        assert source.title in page.text
        for statement in source.statements:
            assert " ".join(statement.says.replace("`", "").split()) in page.text
            assert not statement.why or " ".join(statement.why.replace("`", "").split()) in page.text
    linked = {a for a in addresses(page) if "#claim-" in a}
    assert len(linked) > 100


def test_the_same_results_give_the_same_bytes_and_unchanged_files_stay(tmp_path, monkeypatch):
    results = written(tmp_path)
    monkeypatch.chdir(tmp_path)
    first = site("pages", results).parent
    files = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in first.rglob("*.*")}
    site("pages", results)
    assert files == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in first.rglob("*.*")}
    assert sorted(path.name for path in first.iterdir()) == [
        "index.html",
        "mine",
        "site.json",
        "sources.html",
    ]


def test_files_of_somebody_stay_and_files_of_an_earlier_site_go(tmp_path):
    results, target = written(tmp_path), tmp_path / "pages"
    site(target, results)
    (target / "CNAME").write_text("mine")
    (target / "mine/notes.txt").write_text("mine")
    (results / "mine").rename(results / "yours")
    site(target, results)
    assert (target / "CNAME").read_text() == (target / "mine/notes.txt").read_text() == "mine"
    assert [path.name for path in (target / "mine").iterdir()] == ["notes.txt"]
    assert (target / "yours/index.html").is_file()
    (target / "mine/notes.txt").unlink()
    (results / "yours").rename(results / "theirs")
    site(target, results)
    assert not (target / "yours").exists()


@pytest.mark.parametrize("last", range(6))
def test_an_interrupted_site_is_simply_written_again(tmp_path, monkeypatch, last):
    results, target, steps = written(tmp_path), tmp_path / "pages", []
    site(target, results)
    (results / "mine").rename(results / "yours")

    def checkpoint(step, path):
        steps.append((step, path))
        if len(steps) > 3 * last:
            raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("initlab.files.checkpoint", checkpoint)
    with pytest.raises(StorageError, match="cannot write: No space left on device"):
        site(target, results)
    monkeypatch.undo()
    site(target, results)
    files = {str(path.relative_to(target)): path.read_bytes() for path in target.rglob("*.*")}
    listed = json.loads(files.pop("site.json"))["files"]
    assert files == site_files(results)
    assert listed == sorted(files)


def refused(target, results, message):
    before = {path: path.read_bytes() for path in target.parent.rglob("*") if path.is_file()}
    with pytest.raises(StorageError, match=message):
        site(target, results)
    assert before == {path: path.read_bytes() for path in target.parent.rglob("*") if path.is_file()}


def test_a_folder_of_somebody_is_refused_before_anything_is_written(tmp_path):
    results, target = written(tmp_path), tmp_path / "pages"
    target.write_text("a file")
    refused(target, results, "pages: is a file; a site is a folder")
    target.unlink()
    target.mkdir()
    (target / "index.html").write_text("mine")
    refused(target, results, "pages: holds files that no site wrote; name an empty folder")
    (target / "site.json").write_text("{}")
    refused(target, results, r"site\.json: is no list of a site's files")
    (target / "site.json").write_text('{"made by": "initlab site", "files": []}')
    refused(target, results, r"index\.html: no site wrote this file")


@pytest.mark.parametrize(
    "name", ["../precious.html", "/precious.html", "a/b/c.html", ".ssh/x.html", "x.txt", 7]
)
def test_the_list_of_an_earlier_site_leads_out_of_the_folder_nowhere(tmp_path, name):
    results, target = written(tmp_path), tmp_path / "pages"
    (tmp_path / "precious.html").write_text("mine")
    target.mkdir()
    (target / "site.json").write_text(json.dumps({"made by": "initlab site", "files": [name]}))
    refused(target, results, r"site\.json: no site writes a file")


def test_nothing_is_written_through_a_link(tmp_path):
    results, target, elsewhere = written(tmp_path), tmp_path / "pages", tmp_path / "elsewhere"
    site(target, results)
    shutil.rmtree(target / "mine")
    elsewhere.mkdir()
    (elsewhere / "index.html").write_text("mine")
    (target / "mine").symlink_to(elsewhere)
    refused(target, results, "mine: is no folder of a site")


def test_files_of_the_results_lead_out_of_them_nowhere(tmp_path):
    results, secret = written(tmp_path), tmp_path / "secret.csv"
    secret.write_text("a,b\n")
    (results / "mine/curves.csv").unlink()
    (results / "mine/curves.csv").symlink_to(secret)
    refused(tmp_path / "pages", results, r"curves\.csv: is a link to a file outside of the results")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("loss.png", b"<html>", "is no PNG picture"),
        ("loss.svg", b"<html", "is no SVG picture"),
        ("loss.svg", SVG.replace(b"path", b"script"), "more than shapes, in the element .*script"),
        ("curves.csv", b"\xff\xfe", "is no table"),
        ("curves.csv", b"", "is empty"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, file, content, message):
    results = written(tmp_path)
    (results / "mine" / file).write_bytes(content)
    refused(tmp_path / "pages", results, f"{file}: .*{message}")


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<path onclick="alert(1)"/>',
        '<a href="javascript:alert(1)"><path/></a>',
        '<use href="http://example.org/x.svg#a"/>',
        '<image href="http://example.org/x.png"/>',
        "<foreignObject/>",
        '<animate attributeName="href" to="javascript:alert(1)"/>',
        '<path style="fill: url( http://example.org/x)"/>',
        '<style>@import "http://example.org/x.css";</style>',
        r'<path style="fill: u\72l(http://example.org/x)"/>',
    ],
)
def test_a_picture_holds_shapes_alone(inside):
    assert svg_problem(f"<svg><g><path style='fill: url(#a)'/>{inside}</g></svg>".encode())
    assert not svg_problem(b"<svg><g><path style='fill: url(#a)'/></g></svg>")


@pytest.mark.parametrize(
    "before",
    [
        '<!DOCTYPE svg [<!ENTITY x "y">]>',
        '<!DOCTYPE svg [<!ATTLIST svg onload CDATA "x">]>',
        '<?xml-stylesheet href="x"?>',
    ],
)
def test_a_picture_defines_nothing_before_its_shapes(before):
    assert svg_problem(f"{before}<svg/>".encode())


def test_texts_of_somebody_are_inert(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = ("title", "finding", "about")
    words = iter(HOSTILE * 6)
    claim = CLAIM | {key: next(words) for key, value in CLAIM.items() if value == "text"}
    claim |= {
        "tried": HOSTILE,
        "unit": HOSTILE[0],
        "findings": [FINDING | {"verdict": "confirmed", "setting": HOSTILE[4]}],
    }
    results = written(
        tmp_path,
        **dict.fromkeys(texts, f"{HOSTILE[0]} `{HOSTILE[4]}`"),
        figures={"loss": HOSTILE[1]},
        settings={HOSTILE[0]: HOSTILE[4]},
        claims=[claim],
    )
    (results / "mine/curves.csv").write_text(f'"{HOSTILE[0]}",b\n{HOSTILE[1]},2\n')
    for path in site("pages", results).parent.rglob("*.html"):
        text = path.read_text("utf-8")
        page = Page(text)
        assert len(page.all("script")) == (path.parent.name == "pages" and path.name == "index.html")
        assert not [a for _, each in page.elements for a in each if a.startswith("on")]
        assert not [a for a in addresses(page) if ":" in a]
        assert "\u202e" not in text
        assert [
            image["src"] for image in page.all("img") if image["src"] not in ("loss.png", "mine/loss.png")
        ] == []


def test_without_pictures_the_pages_are_whole_and_say_how_to_draw_them(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = site_files(written(tmp_path, pictures=False))
    page = Page(files["mine/index.html"].decode())
    assert "The picture is not among these results; initlab reproduce mine draws it." in page.text
    assert "A line." in page.text
    assert "2.5" in page.text
    assert page.all("img") == []
    assert sorted(files) == [
        "index.html",
        "mine/claims.json",
        "mine/curves.csv",
        "mine/index.html",
        "sources.html",
    ]


def test_outside_a_checkout_the_site_shows_the_published_results(tmp_path, initlab_here, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = initlab_here("site", "-o", "pages")
    assert done.stderr.splitlines() == [
        "results holds no claims yet; the site shows the published ones.",
        f"Written: {Path('pages/index.html')}",
    ]
    assert (tmp_path / "pages/symmetry/index.html").is_file()


def test_reduced_forms_are_marked(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = written(tmp_path)
    results.rename(tmp_path / "quick")
    page = Page(site_files(tmp_path / "quick")["mine/index.html"].decode())
    assert "reduced forms" in page.text
    assert "initlab reproduce --quick mine" in page.text


def test_without_the_extra_a_message_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "jinja2", None)
    with pytest.raises(UsageError, match=r"a site needs jinja2: pip install 'initlab\[report\]'"):
        site("anywhere")


# In a browser.


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["index.html", "sources.html", "symmetry/index.html"])
def test_pages_are_accessible(folder, open_page, name, dark):
    assert violations(open_page(folder / name, dark=dark)) == []


def test_no_page_scrolls_sideways_on_a_phone_and_all_pictures_load(folder, pages, open_page):
    page, asked = open_page(folder / "index.html", width=360), []
    page.on("request", lambda request: asked.append(request.url))
    for path in pages:
        page.goto(path.as_uri())
        assert too_wide(page) <= 0, path
        pictures = (
            "[...document.images].filter((each) => each.loading !== 'lazy' && !each.naturalWidth).length"
        )
        assert page.evaluate(pictures) == 0, path
    assert len(asked) > len(pages)
    assert [address for address in asked if not address.startswith(folder.as_uri())] == []


@pytest.mark.parametrize("name", ["index.html", "sources.html", "book_activation_histograms/index.html"])
def test_pages_print_without_cut_figures(folder, open_page, name):
    count, cut = printed(open_page(folder / name))
    assert cut == []
    assert count > 1


def shown(page):
    return page.evaluate(
        "[...document.querySelectorAll('.claims tbody tr')].filter((each) => !each.hidden).length"
    )


def test_claims_are_searched_by_keyboard_alone_and_the_address_remembers(folder, records, open_page):
    claims = [claim for record in records.values() for claim in record.claims]
    page = open_page(folder / "index.html")
    page.focus("#text")
    page.keyboard.type("GRADIENTS vanish")
    few = shown(page)
    assert 0 < few < len(claims)
    assert page.inner_text("#count") == f"{few} of {len(claims)} claims shown."
    page.keyboard.press("Tab")
    page.keyboard.type("refuted")
    assert page.evaluate("location.hash") == "#text=GRADIENTS+vanish&verdict=refuted"
    page.evaluate("document.activeElement.form.elements.namedItem('text').focus()")
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    assert shown(page) == sum(claim.verdict == "refuted" for claim in claims)
    for _ in range(4):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_until(page, f"document.querySelector('#count').textContent.startsWith('{len(claims)} of')")
    assert page.evaluate("location.hash") == "#claims"


def test_a_filtered_list_can_be_linked(folder, records, open_page):
    verdicts = Counter(claim.verdict for record in records.values() for claim in record.claims)
    page = open_page(f"{(folder / 'index.html').as_uri()}#verdict=undecided&source=%3Cx%3E")
    assert shown(page) == verdicts["undecided"]  # a source that there is not is all sources
    page.click("a[href='#verdict=mixed']")
    wait_until(page, "document.getElementById('verdict').value === 'mixed'")
    assert shown(page) == verdicts["mixed"]
    page.click("a[href='#question-book']")  # an anchor leaves the list as it is
    assert shown(page) == verdicts["mixed"]
    page.select_option("#question", "book")
    assert 0 < shown(page) < verdicts["mixed"]
    page.select_option("#source", index=1)
    assert "source=text+1" in page.evaluate("location.hash")


def test_without_script_the_claims_are_a_plain_table(folder, records, open_page):
    page = open_page(folder / "index.html", script=False)
    assert not page.is_visible("#filter")
    assert page.locator(".claims tbody tr").count() == sum(len(record.claims) for record in records.values())
    assert page.locator(".claims a").first.is_visible()
